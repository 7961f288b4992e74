// ratchet.claim()
#include <algorithm>
#include <vector>

#include "api/argument.h"
#include "api/queue_access.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "board/claim_board.h"
#include "calendar/interval.h"
#include "catalog/incarnation.h"
#include "catalog/task.h"
#include "catalog/task_notice.h"
#include "catalog/task_token.h"
#include "pg/client_wait.h"
#include "pg/clock.h"
#include "pg/span.h"

extern "C" {
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
}

namespace ratchet::api {
namespace {

// The scheduler answers in microseconds. Who does not want to wait for tasks waits so long for a
// scheduler that is starting, or reads its tables; microseconds.
constexpr std::int64_t kPatience = 5'000'000;

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

struct Request {
  int most;
  std::int64_t lease;  // microseconds
  std::int64_t wait;
};

std::int64_t SpanOf(const Arguments& arguments, int argument, const char* name) {
  std::int64_t span = 0;
  const bool fits = pg::SpanOf(*DatumGetIntervalP(arguments.Value(argument)), &span);
  if (!fits || span < 0) {
    Refuse(std::string(name) + " must not be negative");
  }
  return span;
}

Request RequestOf(const Arguments& arguments, const Queue& queue) {
  enum Argument { kQueueName, kMaxTasks, kLease, kWait };
  Request request{1, queue.own.lease, 0};
  if (!arguments.IsNull(kMaxTasks)) {
    request.most = DatumGetInt32(arguments.Value(kMaxTasks));
    if (request.most < 1 || request.most > board::kMostTasks) {
      Refuse("max_tasks must be between 1 and " + std::to_string(board::kMostTasks));
    }
  }
  if (!arguments.IsNull(kLease)) {
    request.lease = SpanOf(arguments, kLease, "lease");
    if (request.lease < calendar::kMillisecond) {
      Refuse("lease must be at least 1 millisecond");
    }
    CheckLease(queue, request.lease);
  }
  if (!arguments.IsNull(kWait)) {
    request.wait = SpanOf(arguments, kWait, "wait");
  }
  return request;
}

// Until the latch is set or the time has come. What is granted to a session whose client has gone
// would be nobody's until the lease is over.
void Sleep(policy::SteadyTime until) {
  const std::int64_t left = until - pg::SteadyNow();
  pg::Call([left] {
    pg::SleepForClient(static_cast<long>(std::clamp<std::int64_t>(left / 1000 + 1, 1, 60'000)));
  });
}

// What the scheduler gives: nothing when the time is over.
void AskFor(const Queue& queue, const Request& request, std::vector<board::ClaimedTask>* granted) {
  granted->reserve(board::kMostTasks);
  const policy::SteadyTime until = pg::SteadyNow() + (request.wait == 0 ? kPatience : request.wait);
  board::Claim claim(catalog::FindIncarnation(), queue.own.queue_id, request.most,
                     request.wait == 0);
  while (!claim.Take(granted) && pg::SteadyNow() < until) {
    Sleep(until);
  }
}

// Who has waited may have lost the right to it since. What was granted goes back with the
// transaction.
void RequireStillConsumer(const Queue& queue, const std::vector<board::ClaimedTask>& granted) {
  pg::Call([] { AcceptInvalidationMessages(); });
  const std::optional<Queue> now = FindQueue(queue.own.queue_id);
  if (now && !HasRight(*now, QueueRight::kClaim)) {
    for (const board::ClaimedTask& task : granted) {
      catalog::NoteTaskClaimed(queue.own.queue_id, task.task_id);
    }
    RequireRight(*now, QueueRight::kClaim);
  }
}

// Of a task that was granted: it may have been canceled or changed since it was.
bool MakeMine(const board::ClaimedTask& granted, std::int64_t queue_id, std::int64_t lease,
              catalog::HeldTask* held) {
  catalog::NoteTaskClaimed(queue_id, granted.task_id);
  const TimestampTz now = GetCurrentTimestamp();
  if (catalog::HoldTask(granted.task_id, granted.tid, pg::IfBusy::kGiveUp, held) !=
          pg::RowHold::kHeld ||
      held->task.queue_id != queue_id || held->task.is_leased() || held->task.quarantined ||
      held->task.run_at > now || (held->task.expires_at != 0 && held->task.expires_at <= now)) {
    return false;
  }
  held->task.token = catalog::NewTaskToken();
  held->task.lease_until = now + lease;
  held->task.claimed_at = now;
  held->task.claimed_by = GetUserId();
  catalog::UpdateTask(held);
  return true;
}

void AddRow(const catalog::HeldTask& held, RowSet* rows) {
  pg::Call([&] {
    const catalog::Task& task = held.task;
    const catalog::TaskPayload payload = held.payload();
    Datum values[] = {Int64GetDatum(task.task_id),
                      Int64GetDatum(task.token),
                      payload.value,
                      Int32GetDatum(task.attempts + 1),
                      CStringGetTextDatum(task.ordering_key.c_str()),
                      CStringGetTextDatum(task.group_key.c_str())};
    bool nulls[] = {
        false, false, payload.is_null, false, task.ordering_key.empty(), task.group_key.empty()};
    rows->Add(values, nulls);
  });
}

void Claim(FunctionCallInfo call) {
  const Arguments arguments(call);
  RequireWritable("ratchet.claim()");
  RowSet rows(call);
  const Queue queue = RequireQueue(arguments.Text(0, "queue_name"), QueueRight::kClaim);
  const Request request = RequestOf(arguments, queue);
  board::RequireBoard();
  if (request.wait == 0 && (queue.quarantined() || !queue.job.enabled)) {
    return;  // nobody hands out its tasks
  }
  std::vector<board::ClaimedTask> granted;
  AskFor(queue, request, &granted);
  if (request.wait != 0 && !granted.empty()) {
    RequireStillConsumer(queue, granted);
  }
  catalog::HeldTask held;
  for (const board::ClaimedTask& task : granted) {
    if (MakeMine(task, queue.own.queue_id, request.lease, &held)) {
      AddRow(held, &rows);
    }
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_claim);
PGDLLEXPORT Datum ratchet_claim(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::Claim(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
