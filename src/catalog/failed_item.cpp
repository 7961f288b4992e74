#include "catalog/failed_item.h"

#include <algorithm>

#include "catalog/checkpoint.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/row_change.h"
#include "pg/sequence.h"
#include "pg/text_hash.h"
#include "policy/numbers.h"

extern "C" {
#include "access/xact.h"
#include "common/hashfn.h"
}

namespace ratchet::catalog {
namespace {

constexpr char kPrimaryKey[] = "failed_item_pkey";
constexpr char kOpenIndex[] = "failed_item_open_idx";

// What HoldFailedItems() does not give is not read: an item may be large.
using Item = FailedItem;
// clang-format off
constexpr auto kColumns = Declare<Item>(
    Column<Int8, &Item::item_id>("item_id").Sealed(),
    Column<Int8, &Item::job_id>("job_id").Sealed().NotRead(),
    Column<Int8, &Item::run_id>("run_id").Sealed().NotRead(),
    Column<RoleNumber, &Item::owner>("owner").Sealed().NotRead(),
    Column<Text, &Item::job_name>("job_name").NotRead(),
    Other<Int8>("key_hash"),
    Column<Json, &Item::key>("key").Sealed(),
    Other<Json>("item"),
    Other<Text>("sqlstate"),
    Other<Text>("error"),
    Other<Text>("error_detail"),
    Column<Int4, &Item::attempts>("attempts"),
    Other<Time>("failed_at"),
    Other<Time>("resolved_at"),
    Other<Int8>("resolved_by"),
    Nullable<Text, &Item::key_order>("key_order").Sealed(),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kFailedItemTable("failed_item", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kFailedItemTable;
constexpr int kItemId = kTable.Number("item_id");
constexpr int kJobId = kTable.Number("job_id");
constexpr int kRunId = kTable.Number("run_id");
constexpr int kKeyHash = kTable.Number("key_hash");
constexpr int kKey = kTable.Number("key");
constexpr int kItem = kTable.Number("item");
constexpr int kSqlstate = kTable.Number("sqlstate");
constexpr int kError = kTable.Number("error");
constexpr int kErrorDetail = kTable.Number("error_detail");
constexpr int kAttempts = kTable.Number("attempts");
constexpr int kFailedAt = kTable.Number("failed_at");
constexpr int kResolvedAt = kTable.Number("resolved_at");
constexpr int kResolvedBy = kTable.Number("resolved_by");

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows is for use inside pg::Call.

void SetFailure(pg::Row* row, const FailedItem& item) {
  // What the key says already is not said twice.
  if (item.item != item.key) {
    row->SetJsonb(kItem, item.item);
  } else {
    row->SetNull(kItem);
  }
  row->SetText(kSqlstate, unpack_sql_state(item.error.sqlstate));
  row->SetText(kError, item.error.message);
  if (!item.error.detail.empty()) {
    row->SetText(kErrorDetail, item.error.detail);
  } else {
    row->SetNull(kErrorDetail);
  }
  row->SetTime(kFailedAt, GetCurrentTimestamp());
}

void SetResolved(pg::Row* row, std::int64_t resolved_by) {
  row->SetTime(kResolvedAt, GetCurrentTimestamp());
  row->SetInt64(kResolvedBy, resolved_by);
}

// How often the item has failed without having been done since.
std::int32_t EarlierAttempts(std::int64_t job_id, const std::string& key) {
  std::int32_t attempts = 0;
  pg::IndexScan scan(kTable, kOpenIndex, AccessShareLock);
  scan.Equal(kJobId, job_id).Null(kResolvedAt).Equal(kKeyHash, pg::HashOf(key)).Begin();
  pg::Row row;
  while (scan.Next(&row)) {
    if (row.Int32(kAttempts) > attempts && row.JsonbText(kKey) == key) {
      attempts = row.Int32(kAttempts);
    }
  }
  scan.End();
  return attempts;
}

// Greater than those of the run, which are done in their order.
std::int64_t NextItemId(std::int64_t run_id) {
  pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
  scan.Equal(kRunId, run_id).Begin(BackwardScanDirection);
  pg::Row row;
  const std::int64_t newest = scan.Next(&row) ? row.Int64(kItemId) : 0;
  scan.End();
  const Oid sequence = pg::OpenSequence("failed_item_id_seq");
  const std::int64_t item_id = pg::NextNumber(sequence);
  // Any one that is greater will do, as long as there are some left.
  return item_id > newest && item_id < policy::kGreatestNumber
             ? item_id
             : pg::NextNumberAfter(sequence, newest);
}

// Nothing to change when the item is not there any more, or somebody else has resolved it.
template <typename Change>
void ChangeItem(std::int64_t run_id, std::int64_t item_id, Change change) {
  pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
  scan.Equal(kRunId, run_id).Equal(kItemId, item_id).Begin();
  pg::Row row;
  ItemPointerData tid;
  if (scan.Next(&row, &tid) &&
      pg::HoldRow(scan.table(), &tid, pg::IfBusy::kWait, &row) == pg::RowHold::kHeld &&
      row.IsNull(kResolvedAt)) {
    change(&row);
    pg::UpdateRow(scan.table(), &tid, row);
  }
  scan.End();
  CommandCounterIncrement();
}

}  // namespace

constinit const SealedTable kSealedFailedItems(kSeal);

void InsertFailedItem(FailedItem* item, bool may_have_failed_before) {
  pg::Call([item, may_have_failed_before] {
    item->attempts = may_have_failed_before ? 1 + EarlierAttempts(item->job_id, item->key) : 1;
    item->item_id = NextItemId(item->run_id);
    pg::Row row;
    kColumns.Fill(*item, &row);
    row.SetInt64(kKeyHash, pg::HashOf(item->key));
    SetFailure(&row, *item);
    kSeal.Put(&row);
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
  });
}

void FailItemAgain(std::int64_t run_id, std::int64_t item_id, const FailedItem& again) {
  pg::Call([=, &again] {
    ChangeItem(run_id, item_id, [&again](pg::Row* row) {
      SetFailure(row, again);
      row->SetInt32(kAttempts, row->Int32(kAttempts) + 1);
    });
  });
}

void ResolveFailedItem(std::int64_t run_id, std::int64_t item_id, std::int64_t resolved_by) {
  pg::Call([=] {
    ChangeItem(run_id, item_id, [resolved_by](pg::Row* row) { SetResolved(row, resolved_by); });
  });
}

bool HoldFailedItemTable() {
  return pg::Call([] {
    return pg::TryLockTable(kTable.name, RowExclusiveLock) &&
           pg::TryLockTable("failed_item_id_seq", RowExclusiveLock);
  });
}

bool HoldFailedItems(std::int64_t run_id, std::int64_t after, int limit,
                     std::vector<FailedItem>* items, bool* more) {
  items->clear();
  *more = false;
  items->reserve(static_cast<std::size_t>(limit));
  return pg::Call([=] {
    pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
    scan.Equal(kRunId, run_id).Behind(kItemId, after).Begin();
    pg::Row row;
    ItemPointerData tid;
    pg::RowHold hold = pg::RowHold::kHeld;
    while (!*more && hold != pg::RowHold::kBusy && scan.Next(&row, &tid)) {
      if (!row.IsNull(kResolvedAt) || !kSeal.Fits(row)) {
        continue;
      }
      if (items->size() == static_cast<std::size_t>(limit)) {
        *more = true;
        continue;
      }
      hold = pg::HoldRow(scan.table(), &tid, pg::IfBusy::kGiveUp, &row);
      if (hold == pg::RowHold::kHeld && row.IsNull(kResolvedAt)) {
        kColumns.Read(row, &items->emplace_back());
      }
    }
    scan.End();
    return hold != pg::RowHold::kBusy;
  });
}

std::int64_t CountFailedItems(std::int64_t run_id) {
  return pg::Call([run_id] {
    std::int64_t count = 0;
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Equal(kRunId, run_id).Begin();
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      count += row.IsNull(kResolvedAt) && kSeal.Fits(row) ? 1 : 0;
    }
    scan.End();
    return count;
  });
}

bool HasFailedItems(std::int64_t job_id) {
  return pg::Call([job_id] {
    pg::IndexScan scan(kTable, kOpenIndex, AccessShareLock);
    scan.Equal(kJobId, job_id).Null(kResolvedAt).Begin();
    pg::Row row;
    const bool found = scan.Next(&row);
    scan.End();
    return found;
  });
}

namespace {

// Runs before this one with items of the job that are not resolved, in the order of their numbers.
std::vector<std::int64_t> RunsWithOpenItems(std::int64_t job_id, std::int64_t before) {
  std::vector<std::int64_t> runs;
  pg::Call([&] {
    pg::IndexScan scan(kTable, kOpenIndex, AccessShareLock);
    scan.Equal(kJobId, job_id).Null(kResolvedAt).Begin();
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      const std::int64_t run_id = row.Int64(kRunId);
      const auto place = std::lower_bound(runs.begin(), runs.end(), run_id);
      if (run_id < before && (place == runs.end() || *place != run_id)) {
        runs.insert(place, run_id);
      }
    }
    scan.End();
  });
  return runs;
}

std::int64_t PayloadWalkOf(const RunRecord& record) {
  return record.payload.empty() ? 0 : WalkOfPayload(record.payload);
}

}  // namespace

int ResolveEarlierItems(std::int64_t job_id, std::int64_t run_id, std::int64_t walk, int limit) {
  std::vector<std::int64_t> runs = RunsWithOpenItems(job_id, run_id);
  std::erase_if(runs, [walk](std::int64_t run) {
    const auto record = ReadRunRecord(run);
    return !record || PayloadWalkOf(*record) != walk;
  });
  if (runs.empty()) {
    return 0;
  }
  return pg::Call([&] {
    int resolved = 0;
    pg::IndexScan scan(kTable, kOpenIndex, RowExclusiveLock);
    scan.Equal(kJobId, job_id).Null(kResolvedAt).Begin();
    pg::Row row;
    ItemPointerData tid;
    while (resolved < limit && scan.Next(&row, &tid)) {
      // One that a replay has in hand is its own: it says what becomes of the item.
      if (std::binary_search(runs.begin(), runs.end(), row.Int64(kRunId)) &&
          pg::HoldRow(scan.table(), &tid, pg::IfBusy::kGiveUp, &row) == pg::RowHold::kHeld &&
          row.IsNull(kResolvedAt)) {
        SetResolved(&row, run_id);
        pg::UpdateRow(scan.table(), &tid, row);
        resolved++;
      }
    }
    scan.End();
    return resolved;
  });
}

void TakeBackFailedItems(std::int64_t run_id, const std::vector<std::int64_t>& item_ids) {
  pg::Call([run_id, &item_ids] {
    pg::Row row;
    ItemPointerData tid;
    for (const std::int64_t item_id : item_ids) {
      pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
      scan.Equal(kRunId, run_id).Equal(kItemId, item_id).Begin();
      if (scan.Next(&row, &tid)) {
        pg::DeleteRow(scan.table(), &tid, pg::IfBusy::kGiveUp);
      }
      scan.End();
    }
  });
}

bool DeleteFailedItems(std::int64_t run_id) {
  return pg::Call([run_id] {
    pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
    scan.Equal(kRunId, run_id).Begin();
    pg::Row row;
    ItemPointerData tid;
    bool all = true;
    while (all && scan.Next(&row, &tid)) {
      all = pg::DeleteRow(scan.table(), &tid, pg::IfBusy::kGiveUp) != pg::RowHold::kBusy;
    }
    scan.End();
    return all;
  });
}

}  // namespace ratchet::catalog
