// ratchet.cancel_task(), ratchet.retry_task() and ratchet.redrive()
#include <vector>

#include "api/argument.h"
#include "api/enqueue.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/finished_task.h"
#include "catalog/task_notice.h"
#include "worker/current_task.h"

extern "C" {
#include "catalog/pg_collation_d.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
}

namespace ratchet::api {
namespace {

[[noreturn]] void NoSuchTask(std::int64_t task_id) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "task " + std::to_string(task_id) + " does not exist",
                  "One that is completed is gone, unless its queue has a retention.");
}

ItemPointerData Anywhere() {
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  return tid;
}

// Those who enqueue may take back what they themselves have enqueued.
bool IsOwnTask(const Queue& queue, const catalog::Task& task) {
  return OidIsValid(task.enqueued_by) && HasRight(queue, QueueRight::kEnqueue) &&
         pg::Call([&task] { return has_privs_of_role(GetUserId(), task.enqueued_by); });
}

// The queue of a task, for who may do with its tasks what they like. To others it is not there.
Queue RequireTasksQueue(const catalog::Task& task, bool own_will_do) {
  std::optional<Queue> queue = FindQueue(task.queue_id);
  if (!queue) {
    NoSuchTask(task.task_id);
  }
  if (HasRight(*queue, QueueRight::kManage) || (own_will_do && IsOwnTask(*queue, task))) {
    return *std::move(queue);
  }
  if (!MaySee(queue->job.owner)) {
    NoSuchTask(task.task_id);
  }
  RequireRight(*queue, QueueRight::kManage);
  return *std::move(queue);
}

void TellBeingDone(std::int64_t task_id, const char* hint) {
  pg::Call([=] {
    ereport(NOTICE, (errmsg("task %lld is being done", static_cast<long long>(task_id)),
                     errhint("%s", hint)));
  });
}

// Of a task that a handler has in hand its transaction decides, and it is not waited for.
bool CancelTask(const Arguments& arguments) {
  RequireWritable("ratchet.cancel_task()");
  const std::int64_t task_id = arguments.Int64(0, "task_id");
  ItemPointerData tid;
  const auto task = catalog::FindTask(task_id, &tid);
  if (!task) {
    const auto finished = catalog::FindFinishedTask(task_id);
    if (!finished) {
      NoSuchTask(task_id);
    }
    RequireTasksQueue(finished->task, true);
    return false;
  }
  RequireTasksQueue(*task, true);
  if (worker::IsInMyHands(task_id)) {
    TellBeingDone(task_id, "A handler calls ratchet.discard() to end its own task.");
    return false;
  }
  catalog::HeldTask held;
  switch (catalog::HoldTask(task_id, tid, pg::IfBusy::kGiveUp, &held)) {
    case pg::RowHold::kGone:
      return false;
    case pg::RowHold::kBusy:
      TellBeingDone(task_id, "ratchet.cancel() ends the run that does it.");
      return false;
    case pg::RowHold::kHeld:
      break;
  }
  catalog::TaskEnd end;
  end.state = catalog::TaskState::kCanceled;
  end.finished_at = GetCurrentTimestamp();
  end.started_at = held.task.claimed_at;
  held.task.sqlstate.clear();
  held.task.error = "canceled by " + RoleName(GetUserId());
  catalog::FinishTask(&held, end);
  catalog::NoteTaskTouched(held.task.queue_id, task_id);
  return true;
}

// As if it had just been enqueued; what its last attempt failed with stays to be seen.
void Refresh(catalog::Task* task) {
  task->attempts = 0;
  task->crashes = 0;
  task->alone = false;
  task->run_at = 0;
  task->token = 0;
  if (task->expires_at != 0 && task->expires_at <= GetCurrentTimestamp()) {
    task->expires_at = 0;
  }
}

enum class Revived { kYes, kGone, kTaken };

// `holder` is the one that has the unique_key of one that is taken.
Revived Revive(std::int64_t task_id, bool dead_only, catalog::HeldFinishedTask* held,
               catalog::TaskPlace* holder) {
  if (catalog::HoldFinishedTask(task_id, Anywhere(), pg::IfBusy::kWait, held) !=
          pg::RowHold::kHeld ||
      held->state == catalog::TaskState::kCompleted ||
      (dead_only && held->state != catalog::TaskState::kDead)) {
    return Revived::kGone;
  }
  Refresh(&held->task);
  if (!catalog::ReviveTask(held, holder)) {
    return Revived::kTaken;
  }
  catalog::NoteTaskTouched(held->task.queue_id, task_id);
  return Revived::kYes;
}

// One that waits for its next attempt need not wait for it.
bool RetryWaiting(const catalog::Task& task, const ItemPointerData& tid) {
  RequireTasksQueue(task, false);
  catalog::HeldTask held;
  if (worker::IsInMyHands(task.task_id) ||
      catalog::HoldTask(task.task_id, tid, pg::IfBusy::kGiveUp, &held) != pg::RowHold::kHeld ||
      held.task.is_leased() || held.task.attempts + held.task.crashes == 0) {
    return false;
  }
  Refresh(&held.task);
  catalog::UpdateTask(&held);
  catalog::NoteTaskTouched(task.queue_id, task.task_id);
  return true;
}

bool RetryTask(const Arguments& arguments) {
  RequireWritable("ratchet.retry_task()");
  const std::int64_t task_id = arguments.Int64(0, "task_id");
  const auto finished = catalog::FindFinishedTask(task_id);
  if (!finished) {
    ItemPointerData tid;
    const auto task = catalog::FindTask(task_id, &tid);
    if (!task) {
      NoSuchTask(task_id);
    }
    return RetryWaiting(*task, tid);
  }
  RequireTasksQueue(finished->task, false);
  const std::shared_ptr<const Queue> queue = OpenQueue(FindQueue(finished->task.queue_id)->name());
  catalog::HeldFinishedTask held;
  catalog::TaskPlace holder{};
  const Revived revived = Revive(task_id, false, &held, &holder);
  if (revived == Revived::kTaken) {
    RaiseTaken(*queue, held.task.unique_key, holder.task_id);
  }
  return revived == Revived::kYes;
}

// LIKE, whatever the collation of the database.
bool Matches(const std::string& text, const std::string& pattern) {
  return pg::Call([&] {
    return DatumGetBool(DirectFunctionCall2Coll(textlike, C_COLLATION_OID,
                                                CStringGetTextDatum(text.c_str()),
                                                CStringGetTextDatum(pattern.c_str())));
  });
}

struct Dead {
  std::int64_t task_id;
  std::string error;  // if that matters
};

std::vector<Dead> DeadTasksOf(std::int64_t queue_id, bool with_error) {
  struct Search {
    std::vector<Dead> found;
    bool with_error;
  } search{{}, with_error};
  catalog::ScanFinishedTasks(
      queue_id, catalog::TaskState::kDead,
      [](void* argument, const catalog::FinishedTask& task, const ItemPointerData& /*tid*/) {
        auto* to = static_cast<Search*>(argument);
        to->found.push_back({task.task.task_id, to->with_error ? task.task.error : ""});
        return true;
      },
      &search);
  return std::move(search.found);
}

void TellOfTaken(std::int64_t count) {
  if (count == 0) {
    return;
  }
  pg::Call([count] {
    ereport(NOTICE,
            (errmsg_plural("%lld task stays dead, because another one has its unique_key",
                           "%lld tasks stay dead, because others have their unique_key",
                           static_cast<unsigned long>(count), static_cast<long long>(count))));
  });
}

std::int64_t Redrive(const Arguments& arguments) {
  enum Argument { kQueueName, kMaxTasks, kErrorLike };
  RequireWritable("ratchet.redrive()");
  const std::string queue_name = arguments.Text(kQueueName, "queue_name");
  const Queue seen = RequireQueue(queue_name, QueueRight::kManage);
  std::int64_t most = INT64_MAX;
  if (!arguments.IsNull(kMaxTasks)) {
    most = DatumGetInt32(arguments.Value(kMaxTasks));
    if (most < 1) {
      throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "max_tasks must be at least 1");
    }
  }
  const bool filters = !arguments.IsNull(kErrorLike);
  const std::string pattern = arguments.TextOrEmpty(kErrorLike);
  const std::shared_ptr<const Queue> queue = OpenQueue(queue_name);
  std::int64_t count = 0;
  std::int64_t taken = 0;
  catalog::HeldFinishedTask held;
  for (const Dead& dead : DeadTasksOf(queue->own.queue_id, filters)) {
    if (count == most) {
      break;
    }
    if (filters && !Matches(dead.error, pattern)) {
      continue;
    }
    const Revived revived = Revive(dead.task_id, true, &held, nullptr);
    count += revived == Revived::kYes ? 1 : 0;
    taken += revived == Revived::kTaken ? 1 : 0;
  }
  TellOfTaken(taken);
  return count;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_cancel_task);
PGDLLEXPORT Datum ratchet_cancel_task(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return BoolGetDatum(ratchet::api::CancelTask(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_retry_task);
PGDLLEXPORT Datum ratchet_retry_task(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return BoolGetDatum(ratchet::api::RetryTask(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_redrive);
PGDLLEXPORT Datum ratchet_redrive(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::Redrive(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
