#include "catalog/queue.h"

#include "catalog/find_row.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace ratchet::catalog {
namespace {

// Sealed is who may put work into it and take it out.
// clang-format off
using Queue = QueueDefinition;
constexpr auto kColumns = Declare<Queue>(
    Column<Int8, &Queue::queue_id>("queue_id").Sealed(),
    Column<Text, &Queue::queue_name>("queue_name").Sealed(),
    Nullable<Int4, &Queue::concurrency>("concurrency"),
    Nullable<Int4, &Queue::concurrency_per_key>("concurrency_per_key"),
    Nullable<Int4, &Queue::rate>("rate"),
    Column<Span, &Queue::rate_period>("rate_period"),
    Column<Bool, &Queue::rate_per_key>("rate_per_key"),
    Column<Int4, &Queue::max_crashes>("max_crashes"),
    Column<Span, &Queue::retention>("retention"),
    Column<Span, &Queue::keep_dead>("keep_dead"),
    Column<Span, &Queue::lease>("lease"),
    Nullable<RoleArray, &Queue::producers>("producers").Sealed(),
    Nullable<RoleArray, &Queue::consumers>("consumers").Sealed(),
    Column<Bool, &Queue::synchronous>("synchronous"),
    Nullable<Json, &Queue::http>("http").Sealed(),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kQueueTable("queue", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kQueueTable;
constexpr char kPrimaryKey[] = "queue_pkey";
constexpr char kNameIndex[] = "queue_name_key";
constexpr int kQueueId = kTable.Number("queue_id");
constexpr int kQueueName = kTable.Number("queue_name");
constexpr int kProducers = kTable.Number("producers");
constexpr int kConsumers = kTable.Number("consumers");

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, QueueDefinition* queue) {
  kColumns.Read(row, queue);
  queue->quarantined = !kSeal.Fits(row);
}

void Fill(const QueueDefinition& queue, pg::Row* row) {
  kColumns.Fill(queue, row);
  if (!queue.quarantined) {
    kSeal.Put(row);
  }
}

}  // namespace

constinit const SealedTable kSealedQueues(kSeal, "queue_id", nullptr);

void AnnounceQueues() { CacheInvalidateRelcacheByRelid(pg::TableOid(kTable.name)); }

void FillQueue(const QueueDefinition& queue, pg::Row* row) { Fill(queue, row); }

std::string JobNameOf(const std::string& queue_name) { return "queue " + queue_name; }

void InsertQueue(const QueueDefinition& queue) {
  pg::Call([&queue] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(queue, &row);
    pg::InsertRow(table, row);
    CacheInvalidateRelcache(table);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void UpdateQueue(ItemPointer tid, const QueueDefinition& queue) {
  pg::Call([tid, &queue] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(queue, &row);
    pg::UpdateRow(table, tid, row);
    CacheInvalidateRelcache(table);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void DeleteQueue(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    CacheInvalidateRelcache(table);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::optional<QueueDefinition> FindQueue(std::int64_t queue_id, ItemPointer tid) {
  std::optional<QueueDefinition> queue(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kPrimaryKey, tid,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kQueueId, queue_id); },
        [&](const pg::Row& row) { Read(row, &*queue); });
  });
  return found ? std::move(queue) : std::nullopt;
}

std::optional<QueueDefinition> FindQueueByName(const std::string& queue_name, ItemPointer tid) {
  std::optional<QueueDefinition> queue(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kNameIndex, tid,
        [&](pg::IndexScan& scan) -> pg::IndexScan& {
          return scan.EqualText(kQueueName, queue_name);
        },
        [&](const pg::Row& row) { Read(row, &*queue); });
  });
  return found ? std::move(queue) : std::nullopt;
}

namespace {

// For use inside pg::Call. Whether any were there.
bool RemoveGoneRoles(pg::Row* row, int column) {
  if (row->IsNull(column)) {
    return false;
  }
  Datum* values = nullptr;
  int count = 0;
  deconstruct_array(DatumGetArrayTypeP(row->values[column - 1]), REGROLEOID, sizeof(Oid), true,
                    TYPALIGN_INT, &values, nullptr, &count);
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (SearchSysCacheExists1(AUTHOID, values[i])) {
      values[kept++] = values[i];
    }
  }
  if (kept == 0) {
    row->SetNull(column);
  } else if (kept < count) {
    row->Set(column, PointerGetDatum(construct_array(values, kept, REGROLEOID, sizeof(Oid), true,
                                                     TYPALIGN_INT)));
  }
  return kept < count;
}

bool RemoveGoneRoles(pg::Row* row) {
  const bool was_producer = RemoveGoneRoles(row, kProducers);
  return RemoveGoneRoles(row, kConsumers) || was_producer;
}

}  // namespace

bool RemoveGoneRolesOfQueues() {
  return pg::Call([] {
    bool is_complete = true;
    pg::TableScan scan(kTable, RowExclusiveLock);
    pg::Row row;
    ItemPointerData tid;
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      if (!RemoveGoneRoles(&row)) {
        continue;
      }
      const pg::RowHold hold = pg::HoldRow(scan.table(), &tid, pg::IfBusy::kGiveUp, &row);
      if (hold == pg::RowHold::kHeld) {
        // One that was held back stays so.
        const bool is_sealed = kSeal.Fits(row);
        RemoveGoneRoles(&row);
        if (is_sealed) {
          kSeal.Put(&row);
        }
        pg::UpdateRowOfSameKey(scan.table(), &tid, row);
        CacheInvalidateRelcache(scan.table());
      }
      is_complete = is_complete && hold != pg::RowHold::kBusy;
    }
    scan.End();
    CommandCounterIncrement();
    return is_complete;
  });
}

void ScanQueues(void (*visit)(void* context, const QueueDefinition& queue), void* context) {
  QueueDefinition queue;
  pg::Call([&queue, visit, context] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      Read(row, &queue);
      visit(context, queue);
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
