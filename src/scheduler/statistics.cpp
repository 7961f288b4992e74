#include "scheduler/statistics.h"

#include <algorithm>

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

extern "C" {
#include "common/int.h"
#include "storage/lmgr.h"
}

namespace ratchet::scheduler {
namespace {

constexpr const pg::TableLayout& kTable = catalog::kJobStatTable;
constexpr char kJobIndex[] = "job_stat_pkey";

enum Column {
  kJobId = 1,
  kRuns,
  kSucceeded,
  kFailures,
  kSkipped,
  kNotNeeded,
  kItems,
  kRowsAffected,
  kTotalTime,
  kMaxTime,
  kTotalLag,
  kMaxLag,
  kCpuTime,
  kWalBytes,
  kBlocksRead,
  kBlocksHit,
  kStatsReset,
  kDay,
};

double Milliseconds(std::int64_t microseconds) {
  return static_cast<double>(microseconds) / 1000.0;
}

// Counters stop at the greatest number: a job may report any.
void Add(std::int64_t* sum, std::int64_t more) {
  if (pg_add_s64_overflow(*sum, more, sum)) {
    *sum = more > 0 ? PG_INT64_MAX : PG_INT64_MIN;
  }
}

void AddInt64(pg::Row* row, int column, std::int64_t more) {
  std::int64_t sum = row->Int64Or(column, 0);
  Add(&sum, more);
  row->SetInt64(column, sum);
}

void AddFloat8(pg::Row* row, int column, double more) {
  row->SetFloat8(column, (row->IsNull(column) ? 0 : row->Float8(column)) + more);
}

void RaiseFloat8(pg::Row* row, int column, double value) {
  row->SetFloat8(column, row->IsNull(column) ? value : std::max(row->Float8(column), value));
}

}  // namespace

void Statistics::CountRun(std::int64_t job_id, const RunEnd& end) {
  Counted& counted = counted_.emplace_back();
  counted.job_id = job_id;
  counted.is_run = true;
  counted.is_replay = end.replay_of != 0;
  counted.status = end.status;
  counted.counters = end.counters;
  counted.finished_at = end.finished_at;
  // Of a run that was lost the start may be by another clock than the end.
  counted.duration =
      end.started_at != 0 ? std::max<std::int64_t>(0, end.finished_at - end.started_at) : 0;
  counted.lag = end.lag_known && end.started_at != 0 && end.attempt == 1
                    ? std::max<std::int64_t>(0, end.started_at - end.scheduled_at)
                    : 0;
}

void Statistics::CountSkipped(std::int64_t job_id, std::int64_t occurrences) {
  Counted& counted = counted_.emplace_back();
  counted.job_id = job_id;
  counted.skipped = occurrences;
}

void Statistics::CountNotNeeded(std::int64_t job_id, std::int64_t occurrences) {
  CountSkipped(job_id, occurrences);
  counted_.back().not_needed = occurrences;
}

void Statistics::Keep() {
  for (const Counted& counted : counted_) {
    Gather(counted);
  }
  counted_.clear();
}

void Statistics::Gather(const Counted& counted) {
  Gathered& gathered = gathered_[counted.job_id];
  Add(&gathered.skipped, counted.skipped);
  Add(&gathered.not_needed, counted.not_needed);
  if (!counted.is_run) {
    return;
  }
  const bool failed = policy::IsFailure(counted.status);
  gathered.runs++;
  gathered.succeeded += counted.status == policy::RunStatus::kSucceeded ? 1 : 0;
  gathered.failures += failed ? 1 : 0;
  Add(&gathered.items, counted.counters.items_done);
  Add(&gathered.rows, counted.counters.rows_affected);
  Add(&gathered.wal_bytes, counted.counters.wal_bytes);
  Add(&gathered.blocks_read, counted.counters.blocks_read);
  Add(&gathered.blocks_hit, counted.counters.blocks_hit);
  gathered.cpu_time += Milliseconds(counted.counters.cpu_time);
  gathered.total_time += Milliseconds(counted.duration);
  gathered.max_time = std::max(gathered.max_time, Milliseconds(counted.duration));
  gathered.total_lag += Milliseconds(counted.lag);
  gathered.max_lag = std::max(gathered.max_lag, Milliseconds(counted.lag));
  if (!counted.is_replay) {  // which costs, but says nothing about how the job is
    gathered.day.Add(counted.finished_at, failed, counted.duration, counted.lag);
  }
}

void Statistics::Forget(std::int64_t job_id) {
  std::erase_if(counted_, [job_id](const Counted& counted) { return counted.job_id == job_id; });
  gathered_.erase(job_id);
  places_.erase(job_id);
}

bool Statistics::LockTable() {
  return pg::Call(
      [] { return ConditionalLockRelationOid(pg::TableOid(kTable.name), RowExclusiveLock); });
}

void Statistics::Write() {
  for (const auto& [job_id, gathered] : gathered_) {
    WriteRow(job_id, gathered);
  }
}

void Statistics::Reset(std::int64_t job_id, TimestampTz now) {
  if (job_id == 0) {
    counted_.clear();
    gathered_.clear();
  } else {
    std::erase_if(counted_, [job_id](const Counted& counted) { return counted.job_id == job_id; });
    gathered_.erase(job_id);
  }
  pg::Call([job_id, now] {
    pg::Row row;
    ItemPointerData tid;
    pg::TableScan scan(kTable, RowExclusiveLock);
    while (scan.Next(&row, &tid)) {
      if (job_id != 0 && row.Int64(kJobId) != job_id) {
        continue;
      }
      for (int column = kRuns; column <= kRowsAffected; column++) {
        row.SetInt64(column, 0);
      }
      for (int column = kTotalTime; column <= kCpuTime; column++) {
        row.SetFloat8(column, 0);
      }
      for (int column = kWalBytes; column <= kBlocksHit; column++) {
        row.SetInt64(column, 0);
      }
      row.SetTime(kStatsReset, now);
      pg::UpdateRowOfSameKey(scan.table(), &tid, row);
    }
    scan.End();
    CommandCounterIncrement();
  });
  places_.clear();
}

void Statistics::Delete(std::int64_t job_id) {
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

void Statistics::WriteRow(std::int64_t job_id, const Gathered& gathered) {
  pg::Row row;
  ItemPointerData& tid = places_[job_id];
  const bool exists = pg::Call([&] {
    Relation table = pg::OpenTable(kTable, AccessShareLock);
    const bool found = pg::FindRowAt(table, kTable, {kJobIndex, kJobId, job_id}, &tid, &row);
    table_close(table, NoLock);
    return found;
  });
  std::string day;
  if (exists && !row.IsNull(kDay)) {
    policy::JobDay before = policy::JobDay::Decode(row.Text(kDay));
    before.Merge(gathered.day);
    day = before.Encode();
  } else {
    day = gathered.day.Encode();
  }
  pg::Call([&] {
    row.SetInt64(kJobId, job_id);
    AddInt64(&row, kRuns, gathered.runs);
    AddInt64(&row, kSucceeded, gathered.succeeded);
    AddInt64(&row, kFailures, gathered.failures);
    AddInt64(&row, kSkipped, gathered.skipped);
    AddInt64(&row, kNotNeeded, gathered.not_needed);
    AddInt64(&row, kItems, gathered.items);
    AddInt64(&row, kRowsAffected, gathered.rows);
    AddFloat8(&row, kTotalTime, gathered.total_time);
    RaiseFloat8(&row, kMaxTime, gathered.max_time);
    AddFloat8(&row, kTotalLag, gathered.total_lag);
    RaiseFloat8(&row, kMaxLag, gathered.max_lag);
    AddFloat8(&row, kCpuTime, gathered.cpu_time);
    AddInt64(&row, kWalBytes, gathered.wal_bytes);
    AddInt64(&row, kBlocksRead, gathered.blocks_read);
    AddInt64(&row, kBlocksHit, gathered.blocks_hit);
    row.SetText(kDay, day);  // bytea has text's form
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    if (exists) {
      pg::UpdateRowOfSameKey(table, &tid, row);
    } else {
      pg::InsertRow(table, row, &tid);
    }
    table_close(table, NoLock);
  });
}

}  // namespace ratchet::scheduler
