#include "catalog/task_claim.h"

#include "catalog/declaration.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

namespace ratchet::catalog {
namespace {

// clang-format off
constexpr auto kColumns = Declare<TaskClaim>(
    Column<Int8, &TaskClaim::run_id>("run_id"),
    Column<Int8, &TaskClaim::queue_id>("queue_id"),
    Column<Int8Array, &TaskClaim::task_ids>("task_ids"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kTaskClaimTable("task_claim", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kTaskClaimTable;
constexpr char kPrimaryKey[] = "task_claim_pkey";
constexpr int kRunId = kTable.Number("run_id");
constexpr int kQueueId = kTable.Number("queue_id");
constexpr int kTaskIds = kTable.Number("task_ids");

}  // namespace

void InsertTaskClaim(std::int64_t run_id, std::int64_t queue_id,
                     std::span<const std::int64_t> task_ids, ItemPointer tid) {
  pg::Call([=] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    row.SetInt64(kRunId, run_id);
    row.SetInt64(kQueueId, queue_id);
    Int8Array::Set(&row, kTaskIds, task_ids);
    pg::InsertRow(table, row, tid);
    table_close(table, NoLock);
  });
}

void DeleteTaskClaim(std::int64_t run_id, ItemPointer tid) {
  pg::Call([=] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    ItemPointerData place;
    ItemPointerSetInvalid(&place);
    if (tid != nullptr) {
      place = *tid;
    }
    if (pg::LocateRow(table, kTable, {kPrimaryKey, kRunId, run_id}, &place)) {
      pg::DeleteRow(table, &place);
    }
    table_close(table, NoLock);
  });
}

void ScanTaskClaims(void (*visit)(void* context, const TaskClaim& claim), void* context) {
  TaskClaim claim;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      kColumns.Read(row, &claim);
      visit(context, claim);
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
