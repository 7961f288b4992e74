// ratchet.finished_task: tasks that have ended, for as long as their queue keeps them.
//
// A task moves here in the transaction that ends it, and back when it is retried. Rows are written
// by whoever ends a task, and deleted by the scheduler when their time is over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/task.h"

namespace ratchet::catalog {

enum class TaskState : std::uint8_t { kCompleted, kDead, kCanceled, kExpired };
const char* Name(TaskState state);

struct TaskEnd {
  TaskState state = TaskState::kCompleted;
  TimestampTz finished_at = 0;
  TimestampTz started_at = 0;  // of the last attempt; 0: there was none
  TaskPayload result;          // jsonb
  std::int64_t run_id = 0;     // 0: not by a handler
  bool is_deleted = false;     // the row among the unfinished ones is gone already
};

// Moves the task that is held to where the finished ones are; its last error is `held->task`'s.
void FinishTask(HeldTask* held, const TaskEnd& end);

// Everything but payload and result. lease_until, token and the like are none.
struct FinishedTask {
  Task task;
  TaskState state = TaskState::kCompleted;
  TimestampTz finished_at = 0;
  TimestampTz started_at = 0;
  std::int64_t run_id = 0;
};

// A row in hand until the transaction ends.
struct HeldFinishedTask : FinishedTask {
  ItemPointerData tid{};
  pg::Row row;
};
pg::RowHold HoldFinishedTask(std::int64_t task_id, const ItemPointerData& tid, pg::IfBusy if_busy,
                             HeldFinishedTask* held);

// Moves the task back among the unfinished ones, with the same number and as `held->task` says
// (attempts, run_at, …). False, and nothing is done, when another unfinished task of the queue has
// its unique key: *holder (may be null) then is that one. Waits as InsertTask does.
bool ReviveTask(HeldFinishedTask* held, TaskPlace* holder);

void DeleteFinishedTask(const HeldFinishedTask& held);

// As of now; nullopt when there is none.
std::optional<FinishedTask> FindFinishedTask(std::int64_t task_id);
// Its payload as jsonb text; empty: none, or the task is gone.
std::string PayloadOfFinishedTask(std::int64_t task_id);

// Those of a queue in a state, the oldest first. `visit` returns whether to go on; it must not
// raise an error, but may throw.
using VisitFinishedTask = bool (*)(void* context, const FinishedTask& task,
                                   const ItemPointerData& tid);
void ScanFinishedTasks(std::int64_t queue_id, TaskState state, VisitFinishedTask visit,
                       void* context);

// Deletes those of the queue in this state that have ended until `before`, the oldest first, and at
// most so many; waits for nobody. Returns how many: when these are `most`, there may be more.
std::int64_t PurgeFinishedTasks(std::int64_t queue_id, TaskState state, TimestampTz before,
                                std::int64_t most);
// All of a queue that is dropped; waits for who has some in hand.
void DeleteFinishedTasksOf(std::int64_t queue_id);

}  // namespace ratchet::catalog
