// What a consumer does with a task that it has claimed: ratchet.complete(), ratchet.fail() and
// ratchet.extend()
#include <algorithm>
#include <vector>

#include "api/argument.h"
#include "api/number_array.h"
#include "api/queue_access.h"
#include "api/short_error.h"
#include "api/sql_function.h"
#include "calendar/interval.h"
#include "catalog/finished_task.h"
#include "catalog/task_notice.h"
#include "pg/span.h"
#include "policy/task_outcome.h"

extern "C" {
#include "common/pg_prng.h"
}

namespace ratchet::api {
namespace {

struct Claimed {
  std::int64_t task_id;
  std::int64_t token;
};

// An error, so that the consumer's transaction fails, and what it has done with the task.
[[noreturn]] void RaiseStale(std::int64_t task_id) {
  throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                  "task " + std::to_string(task_id) + " is not in the hands of this consumer",
                  "Take a longer lease, or prolong it by ratchet.extend() while the work goes on.",
                  "It has ended, was canceled, or its lease was over and it was given to somebody "
                  "else.");
}

bool IsOf(const catalog::Task& task, const Claimed& claimed) {
  return task.is_leased() && task.token == claimed.token;
}

// Whose task it is, is looked at before anything is waited for.
Queue RequireClaimed(const Claimed& claimed) {
  // The same statement may have claimed it.
  pg::Call([] { CommandCounterIncrement(); });
  const auto task = catalog::FindTask(claimed.task_id);
  std::optional<Queue> queue = task ? FindQueue(task->queue_id) : std::nullopt;
  if (!queue || !IsOf(*task, claimed)) {
    RaiseStale(claimed.task_id);
  }
  RequireRight(*queue, QueueRight::kClaim);
  return *std::move(queue);
}

// The task, if it still is this attempt's. What another transaction has in hand is waited for.
Queue HoldClaimed(const Claimed& claimed, catalog::HeldTask* held) {
  Queue queue = RequireClaimed(claimed);
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  if (catalog::HoldTask(claimed.task_id, tid, pg::IfBusy::kWait, held) != pg::RowHold::kHeld ||
      !IsOf(held->task, claimed)) {
    RaiseStale(claimed.task_id);
  }
  return queue;
}

void Complete(const Claimed& claimed, catalog::TaskPayload result) {
  catalog::HeldTask held;
  const Queue queue = HoldClaimed(claimed, &held);
  if (queue.own.retention == 0) {
    catalog::DeleteTask(held);
  } else {
    catalog::TaskEnd end;
    end.state = catalog::TaskState::kCompleted;
    end.finished_at = GetCurrentTimestamp();
    end.started_at = held.task.claimed_at;
    end.result = result;
    catalog::FinishTask(&held, end);
  }
  catalog::NoteTaskTouched(queue.own.queue_id, claimed.task_id);
}

void CompleteOne(const Arguments& arguments) {
  RequireWritable("ratchet.complete()");
  catalog::TaskPayload result;
  if (!arguments.IsNull(2)) {
    result = {arguments.Value(2), false};
  }
  Complete({arguments.Int64(0, "task_id"), arguments.Int64(1, "token")}, result);
}

// In one order, so that two consumers do not wait for each other in a circle.
void CompleteAll(const Arguments& arguments) {
  RequireWritable("ratchet.complete()");
  const std::vector<std::int64_t> ids = NumbersOf(arguments, 0, "task_ids");
  const std::vector<std::int64_t> tokens = NumbersOf(arguments, 1, "tokens");
  if (ids.size() != tokens.size()) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "tokens must have as many elements as task_ids");
  }
  std::vector<Claimed> all;
  for (std::size_t i = 0; i < ids.size(); i++) {
    all.push_back({ids[i], tokens[i]});
  }
  std::sort(all.begin(), all.end(),
            [](const Claimed& a, const Claimed& b) { return a.task_id < b.task_id; });
  for (const Claimed& claimed : all) {
    Complete(claimed, {});
  }
}

policy::TaskRules RulesOf(const Queue& queue) {
  policy::TaskRules rules;
  rules.backoff = {queue.job.backoff, queue.job.backoff_factor, queue.job.backoff_cap,
                   queue.job.backoff_jitter};
  rules.max_attempts = queue.job.max_attempts;
  rules.max_crashes = queue.own.max_crashes;
  return rules;
}

std::int64_t SpanOf(const Arguments& arguments, int argument, const char* name,
                    std::int64_t shortest) {
  std::int64_t span = 0;
  if (!pg::SpanOf(*DatumGetIntervalP(arguments.Value(argument)), &span) || span < shortest) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    std::string(name) + (shortest == 0 ? " must not be negative"
                                                       : " must be at least 1 millisecond"));
  }
  return span;
}

void Fail(const Arguments& arguments) {
  enum Argument { kTaskId, kToken, kError, kRetryIn, kDiscard };
  RequireWritable("ratchet.fail()");
  const Claimed claimed = {arguments.Int64(kTaskId, "task_id"), arguments.Int64(kToken, "token")};
  const TimestampTz now = GetCurrentTimestamp();
  policy::EndedTask ended;
  ended.end = arguments.BoolOr(kDiscard, false) ? policy::AttemptEnd::kDiscarded
                                                : policy::AttemptEnd::kFailed;
  ended.ended_at = now;
  if (!arguments.IsNull(kRetryIn)) {
    ended.asked = now + SpanOf(arguments, kRetryIn, "retry_in", 0);
  }
  const std::string error = Shortened(arguments.Text(kError, "error"));
  catalog::HeldTask held;
  const Queue queue = HoldClaimed(claimed, &held);
  catalog::Task& task = held.task;
  const policy::TaskVerdict verdict =
      policy::AfterAttempt({task.attempts, task.crashes, task.alone}, RulesOf(queue), ended,
                           pg_prng_double(&pg_global_prng_state));
  task.attempts = verdict.standing.attempts;
  task.crashes = verdict.standing.crashes;
  task.alone = verdict.standing.alone;
  task.sqlstate.clear();
  task.error = error;
  if (verdict.next == policy::TaskVerdict::Next::kDead) {
    catalog::TaskEnd end;
    end.state = catalog::TaskState::kDead;
    end.finished_at = now;
    end.started_at = task.claimed_at;
    catalog::FinishTask(&held, end);
  } else {
    task.run_at = verdict.run_at;
    task.lease_until = 0;
    task.claimed_by = InvalidOid;
    task.claimed_at = 0;
    catalog::UpdateTask(&held);
  }
  catalog::NoteTaskTouched(task.queue_id, task.task_id);
}

void Extend(const Arguments& arguments) {
  RequireWritable("ratchet.extend()");
  const Claimed claimed = {arguments.Int64(0, "task_id"), arguments.Int64(1, "token")};
  if (arguments.IsNull(2)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "lease must not be null");
  }
  const std::int64_t lease = SpanOf(arguments, 2, "lease", calendar::kMillisecond);
  catalog::HeldTask held;
  CheckLease(HoldClaimed(claimed, &held), lease);
  held.task.lease_until = GetCurrentTimestamp() + lease;
  catalog::UpdateTask(&held);
  catalog::NoteTaskTouched(held.task.queue_id, held.task.task_id);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_complete);
PGDLLEXPORT Datum ratchet_complete(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::CompleteOne(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_complete_many);
PGDLLEXPORT Datum ratchet_complete_many(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::CompleteAll(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_fail);
PGDLLEXPORT Datum ratchet_fail(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::Fail(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_extend);
PGDLLEXPORT Datum ratchet_extend(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::Extend(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

}  // extern "C"
