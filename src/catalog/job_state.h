// ratchet.job_state: where a job stands. Written by the scheduler of the database only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "pg/server.h"
#include "policy/run.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

// 0 stands for null in the times and in last_run_id.
struct JobState {
  std::int64_t job_id = 0;
  TimestampTz next_run_at = 0;
  TimestampTz last_scheduled_at = 0;
  TimestampTz last_occurrence = 0;
  std::int64_t last_run_id = 0;
  TimestampTz last_run_at = 0;
  TimestampTz last_finished_at = 0;
  policy::RunStatus last_status = policy::RunStatus::kQueued;  // kQueued: has not run
  TimestampTz last_success_at = 0;
  std::int32_t consecutive_failures = 0;
  std::int32_t crash_streak = 0;
  TimestampTz backoff_until = 0;
  std::int64_t run_count = 0;
  TimestampTz last_not_needed_at = 0;
  std::string watch_seen;         // policy::TableMark, encoded
  std::string schedule_problem;   // empty: the schedule can be read
  TimestampTz depends_since = 0;  // as DependencyGraph's since; null for who depends on nobody

  // What comes "after completion" is so much later: a run has ended, or was not needed. 0: never.
  TimestampTz LastEnd() const { return std::max(last_finished_at, last_not_needed_at); }
};

// Calls visit(state, tid) for every row. `visit` must not throw or raise an error.
void ScanJobStates(void (*visit)(void* context, const JobState& state, const ItemPointerData& tid),
                   void* context);
// By tuple id, verified; falls back to the index. False when the job has no row.
bool FindJobState(std::int64_t job_id, ItemPointer tid, JobState* state);
// Inserts when *tid is invalid; sets *tid to where the row is now.
void WriteJobState(ItemPointer tid, const JobState& state);
void DeleteJobState(ItemPointer tid);

}  // namespace ratchet::catalog
