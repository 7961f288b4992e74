// ratchet.job_stat: counters per job. Written by the scheduler of the database only.
#pragma once

#include <cstdint>
#include <string>

#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

// Times in milliseconds.
struct JobStat {
  std::int64_t job_id = 0;
  std::int64_t runs = 0;
  std::int64_t succeeded = 0;
  std::int64_t failures = 0;
  std::int64_t skipped = 0;
  std::int64_t not_needed = 0;
  std::int64_t items = 0;
  std::int64_t rows_affected = 0;
  double total_time = 0;
  double max_time = 0;
  double total_lag = 0;
  double max_lag = 0;
  double cpu_time = 0;
  std::int64_t wal_bytes = 0;
  std::int64_t blocks_read = 0;
  std::int64_t blocks_hit = 0;
  TimestampTz stats_reset = 0;  // 0: never
  std::string day;              // policy::JobDay, encoded; empty: none
};

// By tuple id, verified; falls back to the index. False when the job has no row.
bool FindJobStat(std::int64_t job_id, ItemPointer tid, JobStat* stat);
void InsertJobStat(const JobStat& stat, ItemPointer tid);
void UpdateJobStat(ItemPointer tid, const JobStat& stat);
// From zero again, but for the last day; 0: of all jobs.
void ResetJobStats(std::int64_t job_id, TimestampTz now);
void DeleteJobStat(std::int64_t job_id);
// Whether the table's lock is free now, and taken: for who cannot wait.
bool HoldJobStatTable();

}  // namespace ratchet::catalog
