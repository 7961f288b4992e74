#include "board/run_limits.h"

#include <algorithm>
#include <csignal>

namespace ratchet::board {
namespace {

// A process whose time is over stops by a timer of its own, in whose signal handler it could not
// note it here. So much later it is taken not to have gone off.
constexpr std::int64_t kTimerIsLate = 200'000;

// When the time of what the run does is over; not set: never.
policy::AwakeTime LimitOf(const RunSlot& run) {
  const policy::AwakeTime timed_out =
      run.ticket.timeout > 0 ? run.time_since + run.ticket.timeout : policy::AwakeTime{};
  if (!run.condition_until.IsSet() || !timed_out.IsSet()) {
    return std::max(run.condition_until, timed_out);
  }
  return std::min(run.condition_until, timed_out);
}

// When the run was or will be asked to stop; not set: never.
policy::AwakeTime CanceledAt(const RunSlot& run) {
  return run.cancel != CancelReason::kNotCanceled ? run.cancel_at : LimitOf(run);
}

// The session of a foreground run is its user's: it is not ended because of a time-out.
bool MayTerminate(const RunSlot& run) {
  return !run.ticket.foreground || run.cancel == CancelReason::kCanceled;
}

// When EnforceLimits() has something to do about the run; not set: never.
policy::AwakeTime DueOf(const RunSlot& run, std::int64_t grace) {
  const policy::AwakeTime limit = LimitOf(run);
  const bool is_canceled =
      run.cancel != CancelReason::kNotCanceled || (run.condition_canceled && limit.IsSet());
  if (!is_canceled) {
    return limit.IsSet() ? limit + std::min(kTimerIsLate, grace) : limit;
  }
  return MayTerminate(run) ? CanceledAt(run) + grace : policy::AwakeTime{};
}

// As if by its own timer. The signal is sent under the lock that End takes: it cannot hit the
// process's next run.
void CancelOverdue(RunSlot* run) {
  const policy::AwakeTime limit = LimitOf(*run);
  if (limit == run->condition_until) {
    run->condition_canceled = true;
  } else {
    run->cancel = CancelReason::kTimedOut;
    run->cancel_at = limit;
  }
  kill(run->pid, SIGINT);
}

}  // namespace

int EnforceLimits(Oid database, policy::AwakeTime now, std::int64_t grace,
                  policy::AwakeTime* next) {
  int terminated = 0;
  *next = {};
  const Lock lock;
  for (int i = 0; i < TheBoard()->runs; i++) {
    RunSlot& run = Runs()[i];
    if (run.state != RunState::kRunning || run.ticket.database != database || run.terminated) {
      continue;
    }
    policy::AwakeTime due = DueOf(run, grace);
    const bool is_canceled = run.cancel != CancelReason::kNotCanceled || run.condition_canceled;
    if (due.IsSet() && due <= now && !is_canceled) {
      CancelOverdue(&run);
      due = DueOf(run, grace);
    }
    if (due.IsSet() && due <= now && run.commits) {
      due = now + std::max(grace, kTimerIsLate);  // it hears of it when the commit is over
    }
    if (due.IsSet() && due <= now) {
      kill(run.pid, SIGTERM);
      run.terminated = true;
      terminated++;
    } else if (due.IsSet() && (!next->IsSet() || due < *next)) {
      *next = due;
    }
  }
  return terminated;
}

}  // namespace ratchet::board
