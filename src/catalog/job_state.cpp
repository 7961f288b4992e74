#include "catalog/job_state.h"

#include "catalog/declaration.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"

namespace ratchet::catalog {
namespace {

constexpr char kJobIndex[] = "job_state_pkey";

using State = JobState;
// clang-format off
constexpr auto kColumns = Declare<State>(
    Column<Int8, &State::job_id>("job_id"),
    Nullable<Time, &State::next_run_at>("next_run_at"),
    Nullable<Time, &State::last_scheduled_at>("last_scheduled_at"),
    Nullable<Time, &State::last_occurrence>("last_occurrence"),
    Nullable<Int8, &State::last_run_id>("last_run_id"),
    Nullable<Time, &State::last_run_at>("last_run_at"),
    Nullable<Time, &State::last_finished_at>("last_finished_at"),
    Nullable<Word<policy::RunStatusOf>, &State::last_status>("last_status"),
    Nullable<Time, &State::last_success_at>("last_success_at"),
    Column<Int4, &State::consecutive_failures>("consecutive_failures"),
    Column<Int4, &State::crash_streak>("crash_streak"),
    Nullable<Time, &State::backoff_until>("backoff_until"),
    Column<Int8, &State::run_count>("run_count"),
    Nullable<Time, &State::last_not_needed_at>("last_not_needed_at"),
    Nullable<Text, &State::watch_seen>("watch_seen"),
    Nullable<Time, &State::depends_since>("depends_since"),
    Nullable<Text, &State::schedule_problem>("schedule_problem"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kJobStateTable("job_state", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kJobStateTable;
constexpr int kJobId = kTable.Number("job_id");

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
      kColumns.Read(row, &state);
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
      kColumns.Read(row, state);
    }
    return found;
  });
}

void WriteJobState(ItemPointer tid, const JobState& state) {
  pg::Call([tid, &state] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    kColumns.Fill(state, &row);
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
