// Time limits in the process that runs a job.
#pragma once

#include "pg/clock.h"

extern "C" {
#include "miscadmin.h"
#include "utils/timeout.h"
}

#include <algorithm>
#include <csignal>
#include <cstdint>

namespace ratchet::worker {

// When it goes off, what the process does is canceled as if by pg_cancel_backend(). Job text that
// swallows the cancel is terminated by the scheduler (board::EnforceLimits). Each purpose has a
// timer of its own.
//
// The server's timers go by the wall clock. When that is set forward, one may go off long before
// its time, and is started again for the rest. When it is set back, one goes off too late, and the
// scheduler is the one who cancels.
template <typename Purpose>
class CancelTimer {
 public:
  // For use inside pg::Call. `grace` microseconds after it has gone off and was not stopped, it
  // ends the process, unless that is less than 0.
  static void Start(policy::AwakeTime when, std::int64_t grace = -1) {
    if (!registered) {
      timer = RegisterTimeout(USER_TIMEOUT, GoOff);
      registered = true;
    }
    fired = 0;
    due = when;
    until_end = grace;
    Arm();
  }
  static void Stop() noexcept {
    if (registered && get_timeout_active(timer)) {
      disable_timeout(timer, false);
    }
  }
  // Since it was last started.
  static bool Fired() { return fired != 0; }
  // It is the one who ends the process.
  static bool EndsProcess() { return ends_process != 0; }
  // Its time is over, whether it has gone off or not.
  static bool IsOver() { return due.IsSet() && pg::AwakeNow() >= due; }
  static void Forget() {
    fired = 0;
    due = {};
  }

 private:
  static void Arm() {
    const std::int64_t left = std::max<std::int64_t>(due - pg::AwakeNow(), 0);
    enable_timeout_at(timer, GetCurrentTimestamp() + left);
  }

  // In a signal handler. By the signal of any other cancel, so that what holds one holds the other.
  static void GoOff() {
    if (!IsOver()) {
      Arm();
      return;
    }
    if (fired != 0) {
      ends_process = 1;
      kill(MyProcPid, SIGTERM);
      return;
    }
    fired = 1;
    if (until_end >= 0) {
      due = due + until_end;
      Arm();
    }
    kill(MyProcPid, SIGINT);
  }

  static inline bool registered = false;
  static inline TimeoutId timer{};
  static inline policy::AwakeTime due{};
  static inline std::int64_t until_end = -1;
  static inline volatile std::sig_atomic_t fired = 0;
  static inline volatile std::sig_atomic_t ends_process = 0;
};

// The time limit of a run, and that of its only_if.
using RunTimer = CancelTimer<struct OfRun>;
using ConditionTimer = CancelTimer<struct OfCondition>;

}  // namespace ratchet::worker
