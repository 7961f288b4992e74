#include "catalog/job_stat.h"

#include "catalog/declaration.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "storage/lmgr.h"
}

namespace ratchet::catalog {
namespace {

constexpr char kJobIndex[] = "job_stat_pkey";

using Stat = JobStat;
// clang-format off
constexpr auto kColumns = Declare<Stat>(
    Column<Int8, &Stat::job_id>("job_id"),
    Column<Int8, &Stat::runs>("runs"),
    Column<Int8, &Stat::succeeded>("succeeded"),
    Column<Int8, &Stat::failures>("failures"),
    Column<Int8, &Stat::skipped>("skipped"),
    Column<Int8, &Stat::not_needed>("not_needed"),
    Column<Int8, &Stat::items>("items"),
    Column<Int8, &Stat::rows_affected>("rows_affected"),
    Column<Float8, &Stat::total_time>("total_time"),
    Column<Float8, &Stat::max_time>("max_time"),
    Column<Float8, &Stat::total_lag>("total_lag"),
    Column<Float8, &Stat::max_lag>("max_lag"),
    Column<Float8, &Stat::cpu_time>("cpu_time"),
    Column<Int8, &Stat::wal_bytes>("wal_bytes"),
    Column<Int8, &Stat::blocks_read>("blocks_read"),
    Column<Int8, &Stat::blocks_hit>("blocks_hit"),
    Nullable<Time, &Stat::stats_reset>("stats_reset"),
    Nullable<Bytes, &Stat::day>("day"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kJobStatTable("job_stat", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kJobStatTable;
constexpr int kJobId = kTable.Number("job_id");

}  // namespace

bool FindJobStat(std::int64_t job_id, ItemPointer tid, JobStat* stat) {
  return pg::Call([=] {
    pg::Row row;
    Relation table = pg::OpenTable(kTable, AccessShareLock);
    const bool found = pg::FindRowAt(table, kTable, {kJobIndex, kJobId, job_id}, tid, &row);
    table_close(table, NoLock);
    if (found) {
      kColumns.Read(row, stat);
    }
    return found;
  });
}

void InsertJobStat(const JobStat& stat, ItemPointer tid) {
  pg::Call([&stat, tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    kColumns.Fill(stat, &row);
    pg::InsertRow(table, row, tid);
    table_close(table, NoLock);
  });
}

void UpdateJobStat(ItemPointer tid, const JobStat& stat) {
  pg::Call([&stat, tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    kColumns.Fill(stat, &row);
    pg::UpdateRowOfSameKey(table, tid, row);
    table_close(table, NoLock);
  });
}

void ResetJobStats(std::int64_t job_id, TimestampTz now) {
  JobStat old;
  JobStat zero;
  pg::Call([&, job_id, now] {
    pg::Row row;
    ItemPointerData tid;
    pg::TableScan scan(kTable, RowExclusiveLock);
    while (scan.Next(&row, &tid)) {
      if (job_id != 0 && row.Int64(kJobId) != job_id) {
        continue;
      }
      kColumns.Read(row, &old);
      zero.job_id = old.job_id;
      zero.day.swap(old.day);
      zero.stats_reset = now;
      pg::Row reset;
      kColumns.Fill(zero, &reset);
      pg::UpdateRowOfSameKey(scan.table(), &tid, reset);
    }
    scan.End();
    CommandCounterIncrement();
  });
}

void DeleteJobStat(std::int64_t job_id) {
  pg::Call([job_id] {
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan(kTable, kJobIndex, RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    if (scan.Next(&row, &tid)) {
      pg::DeleteRow(scan.table(), &tid);
    }
    scan.End();
  });
}

bool HoldJobStatTable() {
  return pg::Call(
      [] { return ConditionalLockRelationOid(pg::TableOid(kTable.name), RowExclusiveLock); });
}

}  // namespace ratchet::catalog
