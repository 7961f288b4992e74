#include "worker/task_limits.h"

#include <algorithm>

#include "board/run_board.h"
#include "pg/compat.h"
#include "pg/settings.h"
#include "worker/cancel_timer.h"

extern "C" {
#include "storage/proc.h"
}

namespace ratchet::worker {
namespace {

using TaskTimer = CancelTimer<struct OfTask>;

bool IsCanceled(int slot) {
  return board::CancelReasonOf(slot) != board::CancelReason::kNotCanceled;
}

std::int64_t Least(std::int64_t a, std::int64_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

}  // namespace

void TaskLimits::TakeSession() {
  statement_ = std::int64_t{StatementTimeout} * 1000;
  transaction_ = std::int64_t{pg::TakeTransactionTimeout()} * 1000;
}

std::int64_t TaskLimits::OfSession() const { return Least(statement_, transaction_); }

// A handler of several tasks at once is one statement all the same; they are done in halves when
// that takes too long.
void TaskLimits::Start(int tasks) const {
  const std::int64_t limit = Least(timeout_ * tasks, OfSession());
  if (limit > 0) {
    TaskTimer::Start(pg::AwakeNow() + limit, std::int64_t{pg::settings.cancel_grace} * 1000);
  }
}

void TaskLimits::Stop(int slot) {
  TaskTimer::Stop();
  if (TaskTimer::Fired() && !IsCanceled(slot)) {
    QueryCancelPending = false;
  }
}

bool TaskLimits::IsBy(const pg::PgError& error, int slot) const {
  return HasAny() && error.sqlstate() == ERRCODE_QUERY_CANCELED && TaskTimer::Fired() &&
         !IsCanceled(slot);
}

bool TaskLimits::EndsProcess() { return TaskTimer::EndsProcess(); }

const char* TaskLimits::Message() const {
  if (timeout_ > 0 && Least(timeout_, OfSession()) == timeout_) {
    return "the task exceeded the timeout of its queue";
  }
  return statement_ > 0 && OfSession() == statement_ ? "the task exceeded statement_timeout"
                                                     : "the task exceeded transaction_timeout";
}

}  // namespace ratchet::worker
