// ratchet.task: the tasks that are not finished, a row each.
//
// A row is inserted by who enqueues (or revives) the task, and deleted by who ends it. Any session
// may be about to do either, so that a row is held before it is changed: HoldTask(). What it means
// that a task is gone or busy is up to who asks. The scheduler waits for nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/row_change.h"
#include "pg/server.h"

namespace ratchet::catalog {

// All but the payload. Texts are empty when there is none, and so are times when they are 0.
struct Task {
  std::int64_t task_id = 0;
  std::int64_t queue_id = 0;
  TimestampTz run_at = 0;  // 0: at once
  std::int32_t priority = 0;
  std::string unique_key;
  std::string ordering_key;
  std::string group_key;
  TimestampTz expires_at = 0;
  TimestampTz enqueued_at = 0;
  Oid enqueued_by = InvalidOid;
  std::int32_t attempts = 0;
  std::int32_t crashes = 0;
  bool alone = false;
  std::string sqlstate;  // of the last attempt that failed
  std::string error;
  // Of the consumer that has it, while lease_until is not 0. The token stays behind when it is
  // given back, and is none then.
  std::int64_t token = 0;
  TimestampTz lease_until = 0;
  Oid claimed_by = InvalidOid;
  TimestampTz claimed_at = 0;
  bool quarantined = false;  // the row was not written by the library: see seal.h

  bool is_leased() const { return lease_until != 0; }
};

// A jsonb value, as long as the memory it lies in.
struct TaskPayload {
  Datum value = 0;
  bool is_null = true;
};

// A row in hand until the transaction ends. The payload may be compressed or stored out of line.
struct HeldTask {
  Task task;
  ItemPointerData tid{};
  pg::Row row;

  TaskPayload payload() const;
};

// All functions throw PgError. Those that write must be called in a transaction that may.

// A number for a task that is about to be inserted.
std::int64_t NextTaskId();
// So many of them, in ascending order.
void NextTaskIds(int count, std::vector<std::int64_t>* numbers);

// Inserts the row. If it has a unique key that another unfinished task of the queue has, nothing is
// inserted, false is returned, and *holder (may be null) is that task's place and number, which its
// transaction has committed or is this one. Until one of both is known it waits for transactions
// that are about to insert or delete a task with that key.
struct TaskPlace {
  std::int64_t task_id;
  ItemPointerData tid;
};
bool InsertTask(const Task& task, TaskPayload payload, TaskPlace* holder,
                ItemPointer tid = nullptr);

// The newest version of the row, which was last seen at *tid (invalid: anywhere).
pg::RowHold HoldTask(std::int64_t task_id, const ItemPointerData& tid, pg::IfBusy if_busy,
                     HeldTask* held);
// Whether a transaction that has not ended has changed or deleted the row there. Who has only
// locked it, as the worker does that has the task in hand, does not count.
bool IsTaskBeingChanged(const ItemPointerData& tid);
// Writes what `held->task` says; the payload, unique_key and numbers stay as they are.
void UpdateTask(HeldTask* held);
// The same with another payload.
void ReplaceTask(HeldTask* held, TaskPayload payload);
void DeleteTask(const HeldTask& held);

// As of now; nullopt when there is none.
std::optional<Task> FindTask(std::int64_t task_id, ItemPointer tid = nullptr);
// Its payload as jsonb text; empty: none, or the task is gone.
std::string PayloadOfTask(std::int64_t task_id);

// Rows as of now. `visit` returns whether to go on; it must not raise an error, but may throw.
using VisitTask = bool (*)(void* context, const Task& task, const ItemPointerData& tid);
// In no order.
void ScanTasks(VisitTask visit, void* context);
// With these numbers, both included, in their order.
void ScanTaskRange(std::int64_t first, std::int64_t last, VisitTask visit, void* context);
// With run_at from..until, both included, in the order of run_at and number; of those at `from` the
// ones with greater numbers than `behind`. The cost is that of what is found, dead versions behind
// `from` included.
void ScanTasksDue(TimestampTz from, std::int64_t behind, TimestampTz until, VisitTask visit,
                  void* context);

// Deletes all of a queue that is dropped; waits for who has some in hand. How many.
std::int64_t DeleteTasksOf(std::int64_t queue_id);
// Whether the queue has any.
bool HasTasks(std::int64_t queue_id);

// What ratchet.task and ratchet.finished_task share: their first columns.
constexpr int kTaskColumns = 16;
// For use inside pg::Call.
void ReadTaskColumns(const pg::Row& row, Task* task);
void FillTaskColumns(const Task& task, pg::Row* row);

}  // namespace ratchet::catalog
