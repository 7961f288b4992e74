#include "worker/run_timer.h"

#include <csignal>

extern "C" {
#include "storage/latch.h"
#include "utils/timeout.h"
}

namespace ratchet::worker {
namespace {

bool registered = false;
TimeoutId timer{};
volatile std::sig_atomic_t fired = 0;

// In a signal handler: only flags and the latch.
void AtTimeout() {
  fired = 1;
  QueryCancelPending = true;
  InterruptPending = true;
  SetLatch(MyLatch);
}

}  // namespace

void StartRunTimer(TimestampTz when) {
  if (!registered) {
    timer = RegisterTimeout(USER_TIMEOUT, AtTimeout);
    registered = true;
  }
  fired = 0;
  enable_timeout_at(timer, when);
}

void StopRunTimer() noexcept {
  if (registered && get_timeout_active(timer)) {
    disable_timeout(timer, false);
  }
}

bool RunTimerFired() { return fired != 0; }

void ForgetRunTimer() { fired = 0; }

}  // namespace ratchet::worker
