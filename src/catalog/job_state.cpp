#include "catalog/job_state.h"

#include <string_view>

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

namespace ratchet::catalog {
namespace {

constexpr const pg::TableLayout& kTable = kJobStateTable;
constexpr char kJobIndex[] = "job_state_pkey";

enum Column {
  kJobId = 1,
  kNextRunAt,
  kLastScheduledAt,
  kLastOccurrence,
  kLastRunId,
  kLastRunAt,
  kLastFinishedAt,
  kLastStatus,
  kLastSuccessAt,
  kConsecutiveFailures,
  kCrashStreak,
  kBackoffUntil,
  kRunCount,
  kLastNotNeededAt,
  kWatchSeen,
  kDependsSince,
  kScheduleProblem,
};

// For use inside pg::Call, as all functions here that take a Row.
void Read(const pg::Row& row, JobState* state) {
  state->job_id = row.Int64(kJobId);
  state->next_run_at = row.TimeOrZero(kNextRunAt);
  state->last_scheduled_at = row.TimeOrZero(kLastScheduledAt);
  state->last_occurrence = row.TimeOrZero(kLastOccurrence);
  state->last_run_id = row.Int64Or(kLastRunId, 0);
  state->last_run_at = row.TimeOrZero(kLastRunAt);
  state->last_finished_at = row.TimeOrZero(kLastFinishedAt);
  state->last_status = row.IsNull(kLastStatus) ? policy::RunStatus::kQueued
                                               : policy::RunStatusOf(row.Text(kLastStatus));
  state->last_success_at = row.TimeOrZero(kLastSuccessAt);
  state->consecutive_failures = row.Int32(kConsecutiveFailures);
  state->crash_streak = row.Int32(kCrashStreak);
  state->backoff_until = row.TimeOrZero(kBackoffUntil);
  state->run_count = row.Int64(kRunCount);
  state->last_not_needed_at = row.TimeOrZero(kLastNotNeededAt);
  state->watch_seen = row.Text(kWatchSeen);
  state->depends_since = row.TimeOrZero(kDependsSince);
  state->schedule_problem = row.Text(kScheduleProblem);
}

void Fill(const JobState& state, pg::Row* row) {
  row->SetInt64(kJobId, state.job_id);
  row->SetTimeOrNull(kNextRunAt, state.next_run_at);
  row->SetTimeOrNull(kLastScheduledAt, state.last_scheduled_at);
  row->SetTimeOrNull(kLastOccurrence, state.last_occurrence);
  if (state.last_run_id != 0) {
    row->SetInt64(kLastRunId, state.last_run_id);
  }
  row->SetTimeOrNull(kLastRunAt, state.last_run_at);
  row->SetTimeOrNull(kLastFinishedAt, state.last_finished_at);
  if (state.last_status != policy::RunStatus::kQueued) {
    row->SetText(kLastStatus, policy::Name(state.last_status));
  }
  row->SetTimeOrNull(kLastSuccessAt, state.last_success_at);
  row->SetInt32(kConsecutiveFailures, state.consecutive_failures);
  row->SetInt32(kCrashStreak, state.crash_streak);
  row->SetTimeOrNull(kBackoffUntil, state.backoff_until);
  row->SetInt64(kRunCount, state.run_count);
  row->SetTimeOrNull(kLastNotNeededAt, state.last_not_needed_at);
  if (!state.watch_seen.empty()) {
    row->SetText(kWatchSeen, state.watch_seen);
  }
  row->SetTimeOrNull(kDependsSince, state.depends_since);
  if (!state.schedule_problem.empty()) {
    row->SetText(kScheduleProblem, state.schedule_problem);
  }
}

constexpr pg::Key KeyOf(std::int64_t job_id) { return {kJobIndex, kJobId, job_id}; }

}  // namespace

void ScanJobStates(void (*visit)(void* context, const JobState& state, const ItemPointerData& tid),
                   void* context) {
  // Not created inside of pg::Call: it has texts.
  JobState read;
  JobState* kept = &read;
  pg::Call([=] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    ItemPointerData tid;
    auto& state = *kept;
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      Read(row, &state);
      visit(context, state, tid);
    }
    scan.End();
  });
}

bool FindJobState(std::int64_t job_id, ItemPointer tid, JobState* state) {
  return pg::Call([=] {
    pg::Row row;
    Relation table = pg::OpenTable(kTable, AccessShareLock);
    const bool found = pg::FindRowAt(table, kTable, KeyOf(job_id), tid, &row);
    table_close(table, NoLock);
    if (found) {
      Read(row, state);
    }
    return found;
  });
}

void WriteJobState(ItemPointer tid, const JobState& state) {
  pg::Call([tid, &state] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(state, &row);
    if (ItemPointerIsValid(tid) && pg::LocateRow(table, kTable, KeyOf(state.job_id), tid)) {
      pg::UpdateRowOfSameKey(table, tid, row);
    } else {
      pg::InsertRow(table, row, tid);
    }
    table_close(table, NoLock);
  });
}

void DeleteJobState(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    table_close(table, NoLock);
  });
}

}  // namespace ratchet::catalog
