#include "catalog/task_claim.h"

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace ratchet::catalog {
namespace {

constexpr const pg::TableLayout& kTable = kTaskClaimTable;
constexpr char kPrimaryKey[] = "task_claim_pkey";

enum Column { kRunId = 1, kQueueId, kTaskIds };

// All that follows is for use inside pg::Call.

Datum ArrayOf(std::span<const std::int64_t> numbers) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (numbers.size() + 1)));
  int count = 0;
  for (const std::int64_t number : numbers) {
    values[count++] = Int64GetDatum(number);
  }
  return PointerGetDatum(construct_array(values, count, INT8OID, sizeof(std::int64_t),
                                         FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

void AppendNumbers(Datum array, std::vector<std::int64_t>* numbers) {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(std::int64_t), FLOAT8PASSBYVAL,
                    TYPALIGN_DOUBLE, &values, &nulls, &count);
  for (int i = 0; i < count; i++) {
    if (!nulls[i]) {
      numbers->push_back(DatumGetInt64(values[i]));
    }
  }
}

}  // namespace

void InsertTaskClaim(std::int64_t run_id, std::int64_t queue_id,
                     std::span<const std::int64_t> task_ids, ItemPointer tid) {
  pg::Call([=] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    row.SetInt64(kRunId, run_id);
    row.SetInt64(kQueueId, queue_id);
    row.Set(kTaskIds, ArrayOf(task_ids));
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
      claim.run_id = row.Int64(kRunId);
      claim.queue_id = row.Int64(kQueueId);
      claim.task_ids.clear();
      AppendNumbers(row.values[kTaskIds - 1], &claim.task_ids);
      visit(context, claim);
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
