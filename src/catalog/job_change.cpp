#include "catalog/job_change.h"

#include <algorithm>

#include "catalog/declaration.h"
#include "catalog/row_numbers.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "access/table.h"
#include "miscadmin.h"
}

namespace ratchet::catalog {
namespace {

using Change = JobChange;
// clang-format off
constexpr auto kColumns = Declare<Change>(
    Column<Int8, &Change::change_id>("change_id"),
    Column<Int8, &Change::job_id>("job_id"),
    Column<Text, &Change::job_name>("job_name"),
    Column<RoleNumber, &Change::owner>("owner"),
    Column<Time, &Change::changed_at>("changed_at"),
    Column<NameOfRole, &Change::changed_by>("changed_by").NotRead(),
    Column<Text, &Change::action>("action"),
    Nullable<Json, &Change::old_values>("old_values"),
    Nullable<Json, &Change::new_values>("new_values"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kJobChangeTable("job_change", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kJobChangeTable;
constexpr int kChangeId = kTable.Number("change_id");
constexpr int kJobId = kTable.Number("job_id");
constexpr int kOwner = kTable.Number("owner");
constexpr int kChangedAt = kTable.Number("changed_at");

}  // namespace

void InsertJobChange(JobChange* change) {
  pg::Call([change] {
    change->change_id = NextRowNumber(kTable, "job_change_pkey", kChangeId, "job_change_id_seq");
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    kColumns.Fill(*change, &row);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void ScanChangedJobs(void (*visit)(void* context, std::int64_t job_id, Oid owner), void* context) {
  pg::Call([visit, context] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      visit(context, row.Int64(kJobId), row.ObjectId(kOwner));
    }
    scan.End();
  });
}

bool DisownJobChanges(std::int64_t job_id, Oid role) {
  return pg::Call([job_id, role] {
    bool is_complete = true;
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan(kTable, "job_change_job_idx", RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      if (row.ObjectId(kOwner) != role) {
        continue;
      }
      const pg::RowHold hold = pg::HoldRow(scan.table(), &tid, pg::IfBusy::kGiveUp, &row);
      if (hold == pg::RowHold::kHeld) {
        row.SetOid(kOwner, InvalidOid);
        pg::UpdateRowOfSameKey(scan.table(), &tid, row);
      }
      is_complete = is_complete && hold != pg::RowHold::kBusy;
    }
    scan.End();
    CommandCounterIncrement();
    return is_complete;
  });
}

Purged PurgeJobChanges(std::int64_t job_id, const PurgeLimits& limits) {
  Purged purged;
  pg::Call([&purged, &limits, job_id] {
    pg::IndexScan scan(kTable, "job_change_job_idx", RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    pg::Row row;
    ItemPointerData tid;
    while (purged.deleted < limits.most && !purged.was_held_up && scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      const TimestampTz changed_at = row.Time(kChangedAt);
      if (changed_at >= limits.before) {
        purged.oldest = std::min(changed_at, limits.now);
        if (changed_at <= limits.now) {
          break;
        }
        continue;
      }
      if (pg::DeleteRow(scan.table(), &tid, pg::IfBusy::kGiveUp) == pg::RowHold::kBusy) {
        purged.oldest = changed_at;
        purged.was_held_up = true;
      } else {
        purged.deleted++;
      }
    }
    scan.End();
  });
  if (purged.deleted == limits.most && purged.oldest == 0) {
    purged.oldest = limits.now;  // there may be more
  }
  return purged;
}

}  // namespace ratchet::catalog
