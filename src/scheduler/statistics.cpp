#include "scheduler/statistics.h"

#include <algorithm>

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/table.h"

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

void AddInt64(pg::Row* row, int column, std::int64_t more) {
  row->SetInt64(column, row->Int64Or(column, 0) + more);
}

void AddFloat8(pg::Row* row, int column, double more) {
  row->SetFloat8(column, (row->IsNull(column) ? 0 : row->Float8(column)) + more);
}

void RaiseFloat8(pg::Row* row, int column, double value) {
  row->SetFloat8(column, row->IsNull(column) ? value : std::max(row->Float8(column), value));
}

}  // namespace

void Statistics::CountRun(std::int64_t job_id, const RunEnd& end) {
  Gathered& gathered = gathered_[job_id];
  gathered.runs++;
  gathered.succeeded += end.status == policy::RunStatus::kSucceeded ? 1 : 0;
  gathered.failures += policy::IsFailure(end.status) ? 1 : 0;
  gathered.items += end.counters.items_done;
  gathered.rows += end.counters.rows_affected;
  gathered.wal_bytes += end.counters.wal_bytes;
  gathered.blocks_read += end.counters.blocks_read;
  gathered.blocks_hit += end.counters.blocks_hit;
  gathered.cpu_time += Milliseconds(end.counters.cpu_time);
  const std::int64_t duration = end.started_at != 0 ? end.finished_at - end.started_at : 0;
  const std::int64_t lag = end.lag_known && end.started_at != 0 && end.attempt == 1
                               ? std::max<std::int64_t>(0, end.started_at - end.scheduled_at)
                               : 0;
  gathered.total_time += Milliseconds(duration);
  gathered.max_time = std::max(gathered.max_time, Milliseconds(duration));
  gathered.total_lag += Milliseconds(lag);
  gathered.max_lag = std::max(gathered.max_lag, Milliseconds(lag));
  if (end.replay_of != 0) {
    return;  // it costs, but says nothing about how the job is
  }
  gathered.day.Add(end.finished_at, policy::IsFailure(end.status), duration, lag);
}

void Statistics::CountSkipped(std::int64_t job_id, std::int64_t occurrences) {
  gathered_[job_id].skipped += occurrences;
}

void Statistics::CountNotNeeded(std::int64_t job_id, std::int64_t occurrences) {
  CountSkipped(job_id, occurrences);
  gathered_[job_id].not_needed += occurrences;
}

void Statistics::Write() {
  for (const auto& [job_id, gathered] : gathered_) {
    WriteRow(job_id, gathered);
  }
}

void Statistics::Reset(std::int64_t job_id, TimestampTz now) {
  if (job_id == 0) {
    gathered_.clear();
  } else {
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
