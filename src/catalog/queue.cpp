#include "catalog/queue.h"

#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/oid_array.h"
#include "pg/row_change.h"
#include "pg/span.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/syscache.h"
}

namespace ratchet::catalog {
namespace {

constexpr const pg::TableLayout& kTable = kQueueTable;
constexpr char kPrimaryKey[] = "queue_pkey";
constexpr char kNameIndex[] = "queue_name_key";

enum Column {
  kQueueId = 1,
  kQueueName,
  kConcurrency,
  kConcurrencyPerKey,
  kRate,
  kRatePeriod,
  kRatePerKey,
  kMaxCrashes,
  kRetention,
  kKeepDead,
  kLease,
  kProducers,
  kConsumers,
  kSynchronous,
  kSealColumn,
};

// Who may put work into it and take it out.
constexpr RowSeal kSeal(kTable, kSealColumn, {kQueueId, kQueueName, kProducers, kConsumers});

// All that follows and takes a Row is for use inside pg::Call.

std::int32_t Int32OrZero(const pg::Row& row, int column) {
  return row.IsNull(column) ? 0 : row.Int32(column);
}

void ReadRoles(const pg::Row& row, int column, std::vector<Oid>* roles) {
  roles->clear();
  if (!row.IsNull(column)) {
    pg::AppendOidArray(row.values[column - 1], roles);
  }
}

void Read(const pg::Row& row, QueueDefinition* queue) {
  queue->queue_id = row.Int64(kQueueId);
  queue->queue_name = row.Text(kQueueName);
  queue->concurrency = Int32OrZero(row, kConcurrency);
  queue->concurrency_per_key = Int32OrZero(row, kConcurrencyPerKey);
  queue->rate = Int32OrZero(row, kRate);
  queue->rate_period = row.SpanOr(kRatePeriod, QueueDefinition().rate_period);
  queue->rate_per_key = row.Bool(kRatePerKey);
  queue->max_crashes = row.Int32(kMaxCrashes);
  queue->retention = row.SpanOr(kRetention, 0);
  queue->keep_dead = row.SpanOr(kKeepDead, QueueDefinition().keep_dead);
  queue->lease = row.SpanOr(kLease, QueueDefinition().lease);
  ReadRoles(row, kProducers, &queue->producers);
  ReadRoles(row, kConsumers, &queue->consumers);
  queue->synchronous = row.Bool(kSynchronous);
  queue->quarantined = !kSeal.Fits(row);
}

void SetCount(pg::Row* row, int column, std::int32_t count) {
  if (count != 0) {
    row->SetInt32(column, count);
  }
}

void SetSpan(pg::Row* row, int column, std::int64_t span) {
  row->Set(column, IntervalPGetDatum(pg::IntervalOf(span)));
}

void SetRoles(pg::Row* row, int column, const std::vector<Oid>& roles) {
  if (!roles.empty()) {
    row->Set(column, pg::OidArrayOf(roles, REGROLEOID));
  }
}

void Fill(const QueueDefinition& queue, pg::Row* row) {
  row->SetInt64(kQueueId, queue.queue_id);
  row->SetText(kQueueName, queue.queue_name);
  SetCount(row, kConcurrency, queue.concurrency);
  SetCount(row, kConcurrencyPerKey, queue.concurrency_per_key);
  SetCount(row, kRate, queue.rate);
  SetSpan(row, kRatePeriod, queue.rate_period);
  row->SetBool(kRatePerKey, queue.rate_per_key);
  row->SetInt32(kMaxCrashes, queue.max_crashes);
  SetSpan(row, kRetention, queue.retention);
  SetSpan(row, kKeepDead, queue.keep_dead);
  SetSpan(row, kLease, queue.lease);
  SetRoles(row, kProducers, queue.producers);
  SetRoles(row, kConsumers, queue.consumers);
  row->SetBool(kSynchronous, queue.synchronous);
  if (!queue.quarantined) {
    kSeal.Put(row);
  }
}

enum class Found { kNo, kYes, kLookAgain };

// The scan's first row. One that was changed since the scan saw it may not be what was looked for
// any more.
Found ReadFirst(pg::IndexScan* scan, ItemPointer tid, QueueDefinition* queue) {
  pg::Row row;
  scan->Begin();
  Found found = scan->Next(&row, tid) ? Found::kYes : Found::kNo;
  if (found == Found::kYes && tid != nullptr) {
    ItemPointerData seen = *tid;
    if (pg::HoldRow(scan->table(), tid, pg::IfBusy::kWait, &row) != pg::RowHold::kHeld ||
        !ItemPointerEquals(&seen, tid)) {
      found = Found::kLookAgain;
    }
  }
  if (found == Found::kYes) {
    Read(row, queue);
  }
  scan->End();
  return found;
}

LOCKMODE LockFor(ItemPointer tid) { return tid != nullptr ? RowExclusiveLock : AccessShareLock; }

}  // namespace

constinit const SealedTable kSealedQueues{&kSeal, kQueueId, 0};

void FillQueue(const QueueDefinition& queue, pg::Row* row) { Fill(queue, row); }

std::string JobNameOf(const std::string& queue_name) { return "queue " + queue_name; }

void InsertQueue(const QueueDefinition& queue) {
  pg::Call([&queue] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(queue, &row);
    pg::InsertRow(table, row);
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
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void DeleteQueue(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::optional<QueueDefinition> FindQueue(std::int64_t queue_id, ItemPointer tid) {
  std::optional<QueueDefinition> queue(std::in_place);
  const bool found = pg::Call([&queue, queue_id, tid] {
    Found result = Found::kLookAgain;
    while (result == Found::kLookAgain) {
      pg::IndexScan scan(kTable, kPrimaryKey, LockFor(tid));
      result = ReadFirst(&scan.Equal(kQueueId, queue_id), tid, &*queue);
    }
    return result == Found::kYes;
  });
  return found ? std::move(queue) : std::nullopt;
}

std::optional<QueueDefinition> FindQueueByName(const std::string& queue_name, ItemPointer tid) {
  std::optional<QueueDefinition> queue(std::in_place);
  const bool found = pg::Call([&queue, &queue_name, tid] {
    Found result = Found::kLookAgain;
    while (result == Found::kLookAgain) {
      pg::IndexScan scan(kTable, kNameIndex, LockFor(tid));
      result = ReadFirst(&scan.EqualText(kQueueName, queue_name), tid, &*queue);
    }
    return result == Found::kYes;
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
