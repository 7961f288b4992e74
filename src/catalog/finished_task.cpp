#include "catalog/finished_task.h"

#include "catalog/find_row.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"

namespace ratchet::catalog {
namespace {

constexpr const char* kStates[] = {"completed", "dead", "canceled", "expired"};

TaskState StateOf(std::string_view word) {
  for (std::size_t i = 0; i < std::size(kStates); i++) {
    if (word == kStates[i]) {
      return static_cast<TaskState>(i);
    }
  }
  return TaskState::kDead;  // a row that was written by hand
}

struct StateWord {
  static constexpr Oid kType = TEXTOID;
  static bool Read(const pg::Row& row, int column, TaskState* state) {
    *state = StateOf(row.Text(column));
    return true;
  }
  static void Set(pg::Row* row, int column, TaskState state) { row->SetText(column, Name(state)); }
};

// The first ones are those of ratchet.task: see ReadTaskColumns().
// clang-format off
using Finished = FinishedTask;
constexpr auto kColumns = Declare<Finished>(
    Other<Int8>("task_id").Sealed(),
    Other<Int8>("queue_id").Sealed(),
    Other<Time>("run_at"),
    Other<Int4>("priority"),
    Other<Json>("payload"),
    Other<Text>("unique_key"),
    Other<Text>("ordering_key"),
    Other<Text>("group_key"),
    Other<Time>("expires_at"),
    Other<Time>("enqueued_at").Sealed(),
    Other<RoleNumber>("enqueued_by").Sealed(),
    Other<Int4>("attempts"),
    Other<Int4>("crashes"),
    Other<Bool>("alone"),
    Other<Text>("sqlstate"),
    Other<Text>("error"),
    Column<StateWord, &Finished::state>("state"),
    Column<Time, &Finished::finished_at>("finished_at"),
    Nullable<Time, &Finished::started_at>("started_at"),
    Other<Json>("result"),
    Nullable<Int8, &Finished::run_id>("run_id"),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kFinishedTaskTable("finished_task", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kFinishedTaskTable;
constexpr char kPrimaryKey[] = "finished_task_pkey";
constexpr char kStateIndex[] = "finished_task_state_idx";
constexpr int kTaskId = kTable.Number("task_id");
constexpr int kQueueId = kTable.Number("queue_id");
constexpr int kPayload = kTable.Number("payload");
constexpr int kState = kTable.Number("state");
constexpr int kFinishedAt = kTable.Number("finished_at");
constexpr int kStartedAt = kTable.Number("started_at");
constexpr int kResult = kTable.Number("result");
constexpr int kRunId = kTable.Number("run_id");
static_assert(kState == kTaskColumns + 1);

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, FinishedTask* task) {
  ReadTaskColumns(row, &task->task);
  kColumns.Read(row, task);
  task->task.quarantined = !kSeal.Fits(row);
}

void FillEnd(const Task& task, const TaskEnd& end, pg::Row* row) {
  FillTaskColumns(task, row);
  row->SetText(kState, Name(end.state));
  row->SetTime(kFinishedAt, end.finished_at);
  row->SetTimeOrNull(kStartedAt, end.started_at);
  if (!end.result.is_null) {
    row->Set(kResult, end.result.value);
  }
  if (end.run_id != 0) {
    row->SetInt64(kRunId, end.run_id);
  }
  if (!task.quarantined) {
    kSeal.Put(row);
  }
}

pg::Key KeyOf(std::int64_t task_id) { return {kPrimaryKey, kTaskId, task_id}; }

// One with the same number may be left of a sequence that was set back.
void RemoveOld(Relation table, std::int64_t task_id) {
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  if (pg::LocateRow(table, kTable, KeyOf(task_id), &tid)) {
    pg::DeleteRow(table, &tid);
  }
}

template <typename F>
void ScanState(std::int64_t queue_id, TaskState state, LOCKMODE mode, F&& visit) {
  MemoryContext row_memory =
      AllocSetContextCreate(CurrentMemoryContext, "ratchet task", ALLOCSET_DEFAULT_SIZES);
  pg::IndexScan scan(kTable, kStateIndex, mode);
  scan.Equal(kQueueId, queue_id).EqualText(kState, Name(state)).Begin();
  MemoryContext outer = MemoryContextSwitchTo(row_memory);
  pg::Row row;
  ItemPointerData tid;
  bool goes_on = true;
  while (goes_on && scan.Next(&row, &tid)) {
    CHECK_FOR_INTERRUPTS();
    goes_on = visit(scan.table(), row, &tid);
    MemoryContextReset(row_memory);
  }
  MemoryContextSwitchTo(outer);
  scan.End();
  MemoryContextDelete(row_memory);
}

}  // namespace

constinit const SealedTable kSealedFinishedTasks(kSeal, "queue_id", nullptr);

const char* Name(TaskState state) { return kStates[static_cast<std::size_t>(state)]; }

void FinishTask(HeldTask* held, const TaskEnd& end) {
  pg::Call([&] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    const TaskPayload payload = held->payload();
    if (!payload.is_null) {
      row.Set(kPayload, payload.value);
    }
    FillEnd(held->task, end, &row);
    RemoveOld(table, held->task.task_id);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
  });
  if (!end.is_deleted) {
    DeleteTask(*held);
  }
}

pg::RowHold HoldFinishedTask(std::int64_t task_id, const ItemPointerData& tid, pg::IfBusy if_busy,
                             HeldFinishedTask* held) {
  return pg::Call([&] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    held->tid = tid;
    pg::RowHold hold = pg::RowHold::kGone;
    if (pg::LocateRow(table, kTable, KeyOf(task_id), &held->tid)) {
      hold = pg::HoldRow(table, &held->tid, if_busy, &held->row);
    }
    if (hold == pg::RowHold::kHeld) {
      Read(held->row, held);
    }
    table_close(table, NoLock);
    return hold;
  });
}

bool ReviveTask(HeldFinishedTask* held, TaskPlace* holder) {
  const TaskPayload payload{held->row.values[kPayload - 1], held->row.nulls[kPayload - 1]};
  if (!InsertTask(held->task, payload, holder)) {
    return false;
  }
  DeleteFinishedTask(*held);
  return true;
}

void DeleteFinishedTask(const HeldFinishedTask& held) {
  pg::Call([&held] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    ItemPointerData tid = held.tid;
    pg::DeleteRow(table, &tid);
    table_close(table, NoLock);
  });
}

std::optional<FinishedTask> FindFinishedTask(std::int64_t task_id) {
  std::optional<FinishedTask> task(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kPrimaryKey, nullptr,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kTaskId, task_id); },
        [&](const pg::Row& row) { Read(row, &*task); });
  });
  return found ? std::move(task) : std::nullopt;
}

std::string PayloadOfFinishedTask(std::int64_t task_id) {
  std::string payload;
  pg::Call([&] {
    FindRow(
        kTable, kPrimaryKey, nullptr,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kTaskId, task_id); },
        [&](const pg::Row& row) { payload = row.JsonbText(kPayload); });
  });
  return payload;
}

void ScanFinishedTasks(std::int64_t queue_id, TaskState state, VisitFinishedTask visit,
                       void* context) {
  FinishedTask task;
  pg::Call([&] {
    ScanState(queue_id, state, AccessShareLock,
              [&](Relation /*table*/, const pg::Row& row, ItemPointer tid) {
                Read(row, &task);
                return visit(context, task, *tid);
              });
  });
}

std::int64_t PurgeFinishedTasks(std::int64_t queue_id, TaskState state, TimestampTz before,
                                std::int64_t most) {
  return pg::Call([=] {
    std::int64_t count = 0;
    ScanState(queue_id, state, RowExclusiveLock,
              [&](Relation table, const pg::Row& row, ItemPointer tid) {
                if (count == most || row.Time(kFinishedAt) > before) {
                  return false;
                }
                if (pg::DeleteRow(table, tid, pg::IfBusy::kGiveUp) == pg::RowHold::kHeld) {
                  count++;
                }
                return true;
              });
    return count;
  });
}

void DeleteFinishedTasksOf(std::int64_t queue_id) {
  for (const TaskState state :
       {TaskState::kCompleted, TaskState::kDead, TaskState::kCanceled, TaskState::kExpired}) {
    pg::Call([=] {
      ScanState(queue_id, state, RowExclusiveLock,
                [](Relation table, const pg::Row& /*row*/, ItemPointer tid) {
                  pg::DeleteRow(table, tid);
                  return true;
                });
    });
  }
}

}  // namespace ratchet::catalog
