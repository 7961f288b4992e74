// What the handler of a queue can ask about its task, and say of it. Outside of a handler all of it
// is null, so that its text can be tried by hand, and so it is for code that a handler calls but
// that does not have the rights of the queue's owner.
#include <string>

#include "catalog/task.h"
#include "pg/guard.h"
#include "worker/current_task.h"

extern "C" {
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ratchet_task_id);
PG_FUNCTION_INFO_V1(ratchet_task_attempt);
PG_FUNCTION_INFO_V1(ratchet_snooze);
PG_FUNCTION_INFO_V1(ratchet_discard);
}

namespace ratchet::api {
namespace {

// The task in hand; false when there is none, or none that the caller may hear of.
bool FindOwnTask(worker::CurrentTask* task, worker::InTask* where) {
  *where = worker::FindCurrentTask(task);
  return *where != worker::InTask::kNo &&
         pg::Call([task] { return has_privs_of_role(GetUserId(), task->owner); });
}

// What is said of a task by these functions is said of one.
bool FindTaskToTell(const char* function, worker::CurrentTask* task) {
  worker::InTask where{};
  if (!FindOwnTask(task, &where)) {
    return false;
  }
  if (where == worker::InTask::kSeveral) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    std::string(function) + " cannot tell which task is meant",
                    "Give the queue per => 'item'.",
                    "The handler has several tasks in hand at once.");
  }
  return true;
}

// False outside of a handler.
bool Snooze(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "delay must not be null");
  }
  worker::CurrentTask task{};
  if (!FindTaskToTell("ratchet.snooze()", &task)) {
    return false;
  }
  const TimestampTz now = GetCurrentTimestamp();
  const TimestampTz until = pg::Call([&] {
    return DatumGetTimestampTz(
        DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), PG_GETARG_DATUM(0)));
  });
  if (until < now) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "delay must not be negative");
  }
  if (task.wish->gave_key && !catalog::FindTask(task.task_id)) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "a task that has been followed by another one with its unique_key cannot be "
                    "snoozed",
                    "Either snooze it, or enqueue the next one.");
  }
  *task.wish = {until, false, {}, task.wish->gave_key};
  return true;
}

bool Discard(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "reason must not be null");
  }
  worker::CurrentTask task{};
  if (!FindTaskToTell("ratchet.discard()", &task)) {
    return false;
  }
  const char* reason = pg::Call([&] { return text_to_cstring(PG_GETARG_TEXT_PP(0)); });
  *task.wish = {0, true, reason, task.wish->gave_key};
  return true;
}

}  // namespace
}  // namespace ratchet::api

using ratchet::worker::CurrentTask;
using ratchet::worker::InTask;

extern "C" PGDLLEXPORT Datum ratchet_task_id(PG_FUNCTION_ARGS) {
  CurrentTask task{};
  const bool found = ratchet::pg::Entry([&] {
    InTask where{};
    return ratchet::api::FindOwnTask(&task, &where) && where == InTask::kYes;
  });
  fcinfo->isnull = !found;
  return Int64GetDatum(task.task_id);
}

extern "C" PGDLLEXPORT Datum ratchet_task_attempt(PG_FUNCTION_ARGS) {
  CurrentTask task{};
  const bool found = ratchet::pg::Entry([&] {
    InTask where{};
    return ratchet::api::FindOwnTask(&task, &where) && where == InTask::kYes;
  });
  fcinfo->isnull = !found;
  return Int32GetDatum(task.attempt);
}

extern "C" PGDLLEXPORT Datum ratchet_snooze(PG_FUNCTION_ARGS) {
  fcinfo->isnull = !ratchet::pg::Entry([fcinfo] { return ratchet::api::Snooze(fcinfo); });
  return static_cast<Datum>(0);
}

extern "C" PGDLLEXPORT Datum ratchet_discard(PG_FUNCTION_ARGS) {
  fcinfo->isnull = !ratchet::pg::Entry([fcinfo] { return ratchet::api::Discard(fcinfo); });
  return static_cast<Datum>(0);
}
