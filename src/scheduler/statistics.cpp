#include "scheduler/statistics.h"

#include <algorithm>

extern "C" {
#include "common/int.h"
}

namespace ratchet::scheduler {
namespace {

double Milliseconds(std::int64_t microseconds) {
  return static_cast<double>(microseconds) / 1000.0;
}

// Counters stop at the greatest number: a job may report any.
void Add(std::int64_t* sum, std::int64_t more) {
  if (pg_add_s64_overflow(*sum, more, sum)) {
    *sum = more > 0 ? PG_INT64_MAX : PG_INT64_MIN;
  }
}

void Add(catalog::JobStat* sum, const catalog::JobStat& more) {
  Add(&sum->runs, more.runs);
  Add(&sum->succeeded, more.succeeded);
  Add(&sum->failures, more.failures);
  Add(&sum->skipped, more.skipped);
  Add(&sum->not_needed, more.not_needed);
  Add(&sum->items, more.items);
  Add(&sum->rows_affected, more.rows_affected);
  sum->total_time += more.total_time;
  sum->max_time = std::max(sum->max_time, more.max_time);
  sum->total_lag += more.total_lag;
  sum->max_lag = std::max(sum->max_lag, more.max_lag);
  sum->cpu_time += more.cpu_time;
  Add(&sum->wal_bytes, more.wal_bytes);
  Add(&sum->blocks_read, more.blocks_read);
  Add(&sum->blocks_hit, more.blocks_hit);
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
  auto& [gathered, day] = gathered_[counted.job_id];
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
  Add(&gathered.rows_affected, counted.counters.rows_affected);
  Add(&gathered.wal_bytes, counted.counters.wal_bytes);
  Add(&gathered.blocks_read, counted.counters.blocks_read);
  Add(&gathered.blocks_hit, counted.counters.blocks_hit);
  gathered.cpu_time += Milliseconds(counted.counters.cpu_time);
  gathered.total_time += Milliseconds(counted.duration);
  gathered.max_time = std::max(gathered.max_time, Milliseconds(counted.duration));
  gathered.total_lag += Milliseconds(counted.lag);
  gathered.max_lag = std::max(gathered.max_lag, Milliseconds(counted.lag));
  if (!counted.is_replay) {  // which costs, but says nothing about how the job is
    day.Add(counted.finished_at, failed, counted.duration, counted.lag);
  }
}

void Statistics::Forget(std::int64_t job_id) {
  std::erase_if(counted_, [job_id](const Counted& counted) { return counted.job_id == job_id; });
  gathered_.erase(job_id);
  places_.erase(job_id);
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
  catalog::ResetJobStats(job_id, now);
  places_.clear();
}

void Statistics::WriteRow(std::int64_t job_id, const Gathered& gathered) {
  ItemPointerData& tid = places_[job_id];
  catalog::JobStat stat;
  const bool exists = catalog::FindJobStat(job_id, &tid, &stat);
  policy::JobDay day = gathered.day;
  if (!stat.day.empty()) {
    day = policy::JobDay::Decode(stat.day);
    day.Merge(gathered.day);
  }
  stat.job_id = job_id;
  stat.day = day.Encode();
  Add(&stat, gathered.counters);
  if (exists) {
    catalog::UpdateJobStat(&tid, stat);
  } else {
    catalog::InsertJobStat(stat, &tid);
  }
}

}  // namespace ratchet::scheduler
