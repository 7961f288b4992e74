#include "api/enqueue.h"

#include "api/held_back.h"
#include "api/known_queue.h"
#include "api/not_loaded.h"
#include "catalog/drop_lock.h"
#include "catalog/task_notice.h"
#include "pg/guard.h"
#include "worker/current_task.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace ratchet::api {
namespace {

// Somebody who replaces a task as well has it in hand for a moment, before it shows; who works on
// it for longer.
constexpr int kMostLooks = 5;
constexpr long kBetweenLooks = 2;  // milliseconds

void Pause() {
  pg::Call([] {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kBetweenLooks,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

// A handler that works on a task has its row locked, and will delete it: that is not waited for.
// A session that has changed it, and may roll back, is.
pg::RowHold HoldForReplace(const catalog::TaskPlace& holder, catalog::HeldTask* held) {
  for (int looks = 0;; looks++) {
    pg::RowHold hold = catalog::HoldTask(holder.task_id, holder.tid, pg::IfBusy::kGiveUp, held);
    if (hold != pg::RowHold::kBusy) {
      return hold;
    }
    if (catalog::IsTaskBeingChanged(holder.tid)) {
      return catalog::HoldTask(holder.task_id, holder.tid, pg::IfBusy::kWait, held);
    }
    if (looks == kMostLooks) {
      return hold;
    }
    Pause();
  }
}

// It keeps its number, and so its place in the line.
void Replace(const catalog::Task& task, catalog::TaskPayload payload, catalog::HeldTask* held) {
  catalog::Task& old = held->task;
  old.run_at = task.run_at;
  old.priority = task.priority;
  old.ordering_key = task.ordering_key;
  old.group_key = task.group_key;
  old.expires_at = task.expires_at;
  old.enqueued_at = task.enqueued_at;
  old.enqueued_by = task.enqueued_by;
  old.attempts = 0;
  old.sqlstate.clear();
  old.error.clear();
  catalog::ReplaceTask(held, payload);
  catalog::NoteTaskTouched(old.queue_id, old.task_id);
}

enum class Replaced { kYes, kInHand, kGone };

Replaced TryReplace(const catalog::Task& task, catalog::TaskPayload payload,
                    const catalog::TaskPlace& holder) {
  if (worker::IsInMyHands(holder.task_id)) {
    return Replaced::kInHand;
  }
  catalog::HeldTask held;
  switch (HoldForReplace(holder, &held)) {
    case pg::RowHold::kGone:
      return Replaced::kGone;
    case pg::RowHold::kBusy:
      return Replaced::kInHand;
    case pg::RowHold::kHeld:
      break;
  }
  if (held.task.is_leased()) {
    return Replaced::kInHand;
  }
  Replace(task, payload, &held);
  return Replaced::kYes;
}

void TellNotReplaced(std::int64_t task_id) {
  pg::Call([task_id] {
    ereport(NOTICE, (errmsg("task %lld is not replaced, because it is being done",
                            static_cast<long long>(task_id)),
                     errhint("Enqueue it again when that has ended.")));
  });
}

}  // namespace

std::shared_ptr<const Queue> OpenQueue(const std::string& queue_name) {
  WarnIfNotLoaded();
  std::shared_ptr<const Queue> queue = KnownQueue(queue_name);
  // Who has dropped it until it is locked has said so by then.
  for (std::int64_t locked = 0; queue && queue->own.queue_id != locked;
       queue = KnownQueue(queue_name)) {
    locked = queue->own.queue_id;
    catalog::LockQueueForTasks(locked);
  }
  if (!queue) {
    NoSuchQueue(queue_name, QueueRight::kEnqueue);
  }
  RequireRight(*queue, QueueRight::kEnqueue);
  static bool told = false;
  if (!told && (queue->quarantined() || IsCopy())) {
    told = true;
    TellIfQueueHeldBack(*queue);
  }
  return queue;
}

void RaiseTaken(const Queue& queue, const std::string& unique_key, std::int64_t holder) {
  throw pg::Error(ERRCODE_UNIQUE_VIOLATION,
                  "queue \"" + queue.name() + "\" has an unfinished task with unique_key \"" +
                      unique_key + "\" already",
                  "", "It is task " + std::to_string(holder) + ".");
}

Enqueued Enqueue(const Queue& queue, catalog::Task* task, catalog::TaskPayload payload,
                 OnConflict on_conflict) {
  task->queue_id = queue.own.queue_id;
  task->enqueued_by = GetUserId();
  if (task->task_id == 0) {
    task->task_id = catalog::NextTaskId();
  }
  catalog::TaskPlace holder;
  while (!catalog::InsertTask(*task, payload, &holder)) {
    if (worker::LetGoOfKey(holder.task_id)) {
      continue;
    }
    switch (on_conflict) {
      case OnConflict::kRaise:
        RaiseTaken(queue, task->unique_key, holder.task_id);
      case OnConflict::kSkip:
        return {holder.task_id, false};
      case OnConflict::kReplace:
        break;
    }
    const Replaced replaced = TryReplace(*task, payload, holder);
    if (replaced == Replaced::kYes) {
      return {holder.task_id, true};
    }
    if (replaced == Replaced::kInHand) {
      TellNotReplaced(holder.task_id);
      return {holder.task_id, false};
    }
  }
  catalog::NoteTaskEnqueued(task->queue_id, task->task_id);
  return {task->task_id, true};
}

}  // namespace ratchet::api
