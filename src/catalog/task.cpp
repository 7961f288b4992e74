#include "catalog/task.h"

#include "catalog/find_row.h"
#include "catalog/numbers.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "catalog/unique_row.h"
#include "pg/guard.h"
#include "pg/sequence.h"

namespace ratchet::catalog {
namespace {

// Sealed is that the library has enqueued it. A payload is read by the handler only, as any data
// of a table.
// clang-format off
constexpr auto kColumns = Declare<Task>(
    Column<Int8, &Task::task_id>("task_id").Sealed(),
    Column<Int8, &Task::queue_id>("queue_id").Sealed(),
    Nullable<Time, &Task::run_at>("run_at"),
    Column<Int4, &Task::priority>("priority"),
    Other<Json>("payload"),
    Nullable<Text, &Task::unique_key>("unique_key"),
    Nullable<Text, &Task::ordering_key>("ordering_key"),
    Nullable<Text, &Task::group_key>("group_key"),
    Nullable<Time, &Task::expires_at>("expires_at"),
    Column<Time, &Task::enqueued_at>("enqueued_at").Sealed(),
    Nullable<RoleNumber, &Task::enqueued_by>("enqueued_by").Sealed(),
    Column<Int4, &Task::attempts>("attempts"),
    Column<Int4, &Task::crashes>("crashes"),
    Column<Bool, &Task::alone>("alone"),
    Nullable<Text, &Task::sqlstate>("sqlstate"),
    Nullable<Text, &Task::error>("error"),
    Nullable<Int8, &Task::token>("token"),
    Nullable<Time, &Task::lease_until>("lease_until"),
    Nullable<RoleNumber, &Task::claimed_by>("claimed_by"),
    Nullable<Time, &Task::claimed_at>("claimed_at"),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kTaskTable("task", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kTaskTable;
constexpr char kPrimaryKey[] = "task_pkey";
constexpr char kUniqueKeyIndex[] = "task_unique_key_idx";
constexpr char kRunAtIndex[] = "task_run_at_idx";
constexpr int kTaskId = kTable.Number("task_id");
constexpr int kQueueId = kTable.Number("queue_id");
constexpr int kRunAt = kTable.Number("run_at");
constexpr int kPayload = kTable.Number("payload");
constexpr int kUniqueKey = kTable.Number("unique_key");
static_assert(kTable.Number("error") == kTaskColumns);

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, Task* task) {
  kColumns.Read(row, task);
  task->quarantined = !kSeal.Fits(row);
}

void Fill(const Task& task, pg::Row* row) {
  kColumns.Fill(task, row);
  if (!task.quarantined) {
    kSeal.Put(row);
  }
}

void SetPayload(TaskPayload payload, pg::Row* row) {
  if (payload.is_null) {
    row->SetNull(kPayload);
  } else {
    row->Set(kPayload, payload.value);
  }
}

bool InsertUniqueTask(Relation table, const Task& task, pg::Row* row, TaskPlace* holder,
                      ItemPointer tid) {
  pg::Row found;
  ItemPointerData place;
  const bool is_new = InsertUnique(
      table, kTable, kUniqueKeyIndex,
      [&task](pg::IndexScan& scan) -> pg::IndexScan& {
        return scan.Equal(kQueueId, task.queue_id).EqualText(kUniqueKey, task.unique_key);
      },
      row, tid, &found, &place);
  if (!is_new && holder != nullptr) {
    *holder = TaskPlace{found.Int64(kTaskId), place};
  }
  return is_new;
}

// Whether all were visited.
template <typename Scan>
bool Visit(Scan* scan, Task* task, VisitTask visit, void* context) {
  MemoryContext row_memory =
      AllocSetContextCreate(CurrentMemoryContext, "ratchet task", ALLOCSET_DEFAULT_SIZES);
  MemoryContext outer = MemoryContextSwitchTo(row_memory);
  pg::Row row;
  ItemPointerData tid;
  bool goes_on = true;
  while (goes_on && scan->Next(&row, &tid)) {
    CHECK_FOR_INTERRUPTS();
    Read(row, task);
    MemoryContextSwitchTo(outer);
    goes_on = visit(context, *task, tid);
    MemoryContextSwitchTo(row_memory);
    MemoryContextReset(row_memory);
  }
  MemoryContextSwitchTo(outer);
  MemoryContextDelete(row_memory);
  return goes_on;
}

bool IsOf(const pg::Row& row, std::int64_t queue_id) { return row.Int64(kQueueId) == queue_id; }

}  // namespace

constinit const SealedTable kSealedTasks(kSeal, "queue_id", nullptr);

void ReadTaskColumns(const pg::Row& row, Task* task) {
  ReadColumns(kColumns.transfers, kTaskColumns, row, task);
}

void FillTaskColumns(const Task& task, pg::Row* row) {
  FillColumns(kColumns.transfers, kTaskColumns, &task, row);
}

TaskPayload HeldTask::payload() const {
  return {row.values[kPayload - 1], row.nulls[kPayload - 1]};
}

bool InsertTask(const Task& task, TaskPayload payload, TaskPlace* holder, ItemPointer tid) {
  return pg::Call([&] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(task, &row);
    SetPayload(payload, &row);
    bool inserted = true;
    if (task.unique_key.empty()) {
      pg::InsertRow(table, row, tid);
    } else {
      inserted = InsertUniqueTask(table, task, &row, holder, tid);
    }
    table_close(table, NoLock);
    return inserted;
  });
}

pg::RowHold HoldTask(std::int64_t task_id, const ItemPointerData& tid, pg::IfBusy if_busy,
                     HeldTask* held) {
  return pg::Call([&] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    held->tid = tid;
    pg::RowHold hold = pg::RowHold::kGone;
    if (pg::LocateRow(table, kTable, {kPrimaryKey, kTaskId, task_id}, &held->tid)) {
      hold = pg::HoldRow(table, &held->tid, if_busy, &held->row);
    }
    if (hold == pg::RowHold::kHeld) {
      Read(held->row, &held->task);
    }
    table_close(table, NoLock);
    return hold;
  });
}

bool IsTaskBeingChanged(const ItemPointerData& tid) {
  return pg::Call([&tid] {
    Relation table = pg::OpenTable(kTable, AccessShareLock);
    ItemPointerData place = tid;
    const bool result = pg::IsBeingChanged(table, &place);
    table_close(table, NoLock);
    return result;
  });
}

void UpdateTask(HeldTask* held) { ReplaceTask(held, held->payload()); }

void ReplaceTask(HeldTask* held, TaskPayload payload) {
  pg::Call([&] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    Fill(held->task, &held->row);
    SetPayload(payload, &held->row);
    pg::UpdateRowOfSameKey(table, &held->tid, held->row);
    table_close(table, NoLock);
  });
}

void DeleteTask(const HeldTask& held) {
  pg::Call([&held] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    ItemPointerData tid = held.tid;
    pg::DeleteRow(table, &tid);
    table_close(table, NoLock);
  });
}

std::optional<Task> FindTask(std::int64_t task_id, ItemPointer tid) {
  std::optional<Task> task(std::in_place);
  const bool found = pg::Call([&] {
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Equal(kTaskId, task_id).Begin();
    pg::Row row;
    const bool hit = scan.Next(&row, tid);
    if (hit) {
      Read(row, &*task);
    }
    scan.End();
    return hit;
  });
  return found ? std::move(task) : std::nullopt;
}

std::string PayloadOfTask(std::int64_t task_id) {
  std::string payload;
  pg::Call([&] {
    FindRow(
        kTable, kPrimaryKey, nullptr,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kTaskId, task_id); },
        [&](const pg::Row& row) { payload = row.JsonbText(kPayload); });
  });
  return payload;
}

void ScanTasks(VisitTask visit, void* context) {
  Task task;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    Visit(&scan, &task, visit, context);
    scan.End();
  });
}

void ScanTaskRange(std::int64_t first, std::int64_t last, VisitTask visit, void* context) {
  Task task;
  pg::Call([&] {
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Behind(kTaskId, first - 1).NotAbove(kTaskId, last).Begin();
    Visit(&scan, &task, visit, context);
    scan.End();
  });
}

void ScanTasksDue(TimestampTz from, std::int64_t behind, TimestampTz until, VisitTask visit,
                  void* context) {
  Task task;
  pg::Call([&] {
    bool goes_on = true;
    if (behind < INT64_MAX) {
      pg::IndexScan rest(kTable, kRunAtIndex, AccessShareLock);
      rest.NotBefore(kRunAt, from).UpTo(kRunAt, from).Behind(kTaskId, behind).Begin();
      goes_on = Visit(&rest, &task, visit, context);
      rest.End();
    }
    if (goes_on && (behind == INT64_MAX || from < until)) {
      pg::IndexScan scan(kTable, kRunAtIndex, AccessShareLock);
      scan.NotBefore(kRunAt, behind < INT64_MAX ? from + 1 : from).UpTo(kRunAt, until).Begin();
      Visit(&scan, &task, visit, context);
      scan.End();
    }
  });
}

std::int64_t DeleteTasksOf(std::int64_t queue_id) {
  return pg::Call([queue_id] {
    std::int64_t count = 0;
    pg::TableScan scan(kTable, RowExclusiveLock);
    pg::Row row;
    ItemPointerData tid;
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      if (IsOf(row, queue_id) && pg::DeleteRow(scan.table(), &tid) == pg::RowHold::kHeld) {
        count++;
      }
    }
    scan.End();
    return count;
  });
}

bool HasTasks(std::int64_t queue_id) {
  return pg::Call([queue_id] {
    bool found = false;
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (!found && scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      found = IsOf(row, queue_id);
    }
    scan.End();
    return found;
  });
}

}  // namespace ratchet::catalog
