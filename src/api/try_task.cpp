// ratchet.try_task()
#include <optional>
#include <string>

#include "catalog/finished_task.h"
#include "catalog/job.h"
#include "catalog/queue.h"
#include "catalog/task.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "worker/current_task.h"
#include "worker/task_trial.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ratchet_try_task);
}

namespace ratchet::api {
namespace {

struct TriedTask {
  catalog::Task task;
  std::string payload;
};

[[noreturn]] void RefuseUnknown(std::int64_t task_id) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "task " + std::to_string(task_id) + " does not exist",
                  "Tasks that are completed are kept if their queue has a retention.");
}

TriedTask FindTaskToTry(std::int64_t task_id) {
  if (auto task = catalog::FindTask(task_id)) {
    return {std::move(*task), catalog::PayloadOfTask(task_id)};
  }
  auto finished = catalog::FindFinishedTask(task_id);
  if (!finished) {
    RefuseUnknown(task_id);
  }
  return {std::move(finished->task), catalog::PayloadOfFinishedTask(task_id)};
}

// As for ratchet.run(): the handler may do what it likes with the session.
void CheckOwner(const catalog::JobDefinition& queue, const std::string& queue_name,
                bool task_is_held_back) {
  if (queue.owner != GetUserId() || GetUserId() != GetSessionUserId() ||
      GetUserId() != pg::AuthenticatedRole()) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "only the owner can try tasks of queue \"" + queue_name + "\"", {},
                    "The session must have been started as the owner, without SET ROLE or "
                    "SET SESSION AUTHORIZATION.");
  }
  if (queue.quarantined || task_is_held_back) {
    throw pg::Error(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        queue.quarantined ? "queue \"" + queue_name + "\" is held back" : "the task is held back",
        "Let a superuser look at it and run SELECT ratchet.adopt().",
        "It was not written by pg_ratchet in this database.");
  }
  if (queue.action.empty()) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "queue \"" + queue_name + "\" has no handler",
                    "Its tasks are for consumers: ratchet.claim().");
  }
}

// For use inside pg::Call.
void AppendText(StringInfo json, const char* name, const std::string& text) {
  if (!text.empty()) {
    appendStringInfo(json, ", \"%s\": ", name);
    escape_json(json, text.c_str());
  }
}

Datum JsonOf(std::int64_t task_id, const std::string& queue_name,
             const worker::TrialResult& result) {
  const bool failed = result.error.sqlstate != 0;
  const char* outcome = failed                           ? "failed"
                        : result.wish.discarded          ? "discarded"
                        : result.wish.snoozed_until != 0 ? "snoozed"
                                                         : "completed";
  return pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfo(&json, "{\"task_id\": %lld", static_cast<long long>(task_id));
    AppendText(&json, "queue_name", queue_name);
    appendStringInfo(&json,
                     ", \"outcome\": \"%s\", \"rows\": %lld, \"milliseconds\": %.3f, "
                     "\"wal_bytes\": %lld",
                     outcome, static_cast<long long>(result.rows),
                     static_cast<double>(result.micros) / 1000,
                     static_cast<long long>(result.wal_bytes));
    if (failed) {
      AppendText(&json, "sqlstate", unpack_sql_state(result.error.sqlstate));
      AppendText(&json, "message", result.error.message);
      AppendText(&json, "detail", result.error.detail);
      AppendText(&json, "hint", result.error.hint);
      AppendText(&json, "context", result.error.context);
    } else if (result.wish.discarded) {
      AppendText(&json, "reason", result.wish.reason);
    } else if (result.wish.snoozed_until != 0) {
      AppendText(&json, "until", timestamptz_to_str(result.wish.snoozed_until));
    }
    appendStringInfoChar(&json, '}');
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
  });
}

Datum TryTask(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "task_id must not be null");
  }
  const std::int64_t task_id = PG_GETARG_INT64(0);
  const TriedTask tried = FindTaskToTry(task_id);
  const auto queue = catalog::FindQueue(tried.task.queue_id);
  const auto job = catalog::FindJob(tried.task.queue_id);
  if (!queue || !job) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "the queue of task " + std::to_string(task_id) + " does not exist");
  }
  // Another owner's task is none for the caller.
  const bool may_see = pg::Call([&job] {
    return has_privs_of_role(GetUserId(), job->owner) ||
           has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
  });
  if (!may_see) {
    RefuseUnknown(task_id);
  }
  CheckOwner(*job, queue->queue_name, tried.task.quarantined || queue->quarantined);
  worker::CurrentTask current{};
  if (worker::FindCurrentTask(&current) != worker::InTask::kNo) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "a handler cannot try another task");
  }
  return JsonOf(task_id, queue->queue_name, worker::TryTask(*job, tried.task, tried.payload));
}

}  // namespace
}  // namespace ratchet::api

extern "C" PGDLLEXPORT Datum ratchet_try_task(PG_FUNCTION_ARGS) {
  return ratchet::pg::Entry([fcinfo] { return ratchet::api::TryTask(fcinfo); });
}
