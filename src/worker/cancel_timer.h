// Time limits in the process that runs a job.
#pragma once

#include "pg/server.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"
}

#include <csignal>

namespace ratchet::worker {

// When it goes off, what the process does is canceled as if by pg_cancel_backend(). Job text that
// swallows the cancel is terminated by the scheduler (board::TerminateStubborn). Each purpose has a
// timer of its own.
template <typename Purpose>
class CancelTimer {
 public:
  // For use inside pg::Call.
  static void Start(TimestampTz when) {
    if (!registered) {
      timer = RegisterTimeout(USER_TIMEOUT, GoOff);
      registered = true;
    }
    fired = 0;
    enable_timeout_at(timer, when);
  }
  static void Stop() noexcept {
    if (registered && get_timeout_active(timer)) {
      disable_timeout(timer, false);
    }
  }
  // Since it was last started.
  static bool Fired() { return fired != 0; }
  static void Forget() { fired = 0; }

 private:
  // In a signal handler: only flags and the latch.
  static void GoOff() {
    fired = 1;
    QueryCancelPending = true;
    InterruptPending = true;
    SetLatch(MyLatch);
  }

  static inline bool registered = false;
  static inline TimeoutId timer{};
  static inline volatile std::sig_atomic_t fired = 0;
};

// The time limit of a run, and that of its only_if.
using RunTimer = CancelTimer<struct OfRun>;
using ConditionTimer = CancelTimer<struct OfCondition>;

}  // namespace ratchet::worker
