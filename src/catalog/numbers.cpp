#include "catalog/numbers.h"

#include <algorithm>

#include "board/number_board.h"
#include "catalog/checkpoint.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/sequence.h"
#include "pg/table.h"
#include "policy/numbers.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::catalog {
namespace {

using board::NumberKind;

// A server on a new timeline may lack the newest runs of the one before. Their numbers are in
// people's hands, so that others get none of them: more than any server runs in a lost moment.
constexpr std::int64_t kLostRuns = 1'000'000;

// An index that begins with a number, and the number's column.
struct Place {
  const pg::TableLayout* table;
  const char* index;
  const char* column;
};

constexpr Place kRuns[] = {
    {&kRunLogTable, "run_log_pkey", "run_id"},
    {&kRunQueueTable, "run_queue_pkey", "run_id"},
    {&kFailedItemTable, "failed_item_pkey", "run_id"},
};

// A job that is gone for long has left something behind, perhaps.
constexpr Place kJobs[] = {
    {&kJobTable, "job_pkey", "job_id"},
    {&kJobVersionTable, "job_version_pkey", "job_id"},
    {&kJobStateTable, "job_state_pkey", "job_id"},
    {&kJobStatTable, "job_stat_pkey", "job_id"},
    {&kJobCheckpointTable, "job_checkpoint_pkey", "job_id"},
    {&kRunLogTable, "run_log_job_idx", "job_id"},
    {&kJobChangeTable, "job_change_job_idx", "job_id"},
    {&kRunQueueTable, "run_queue_job_idx", "job_id"},
    {&kFailedItemTable, "failed_item_open_idx", "job_id"},
    {&kBackfillTable, "backfill_job_idx", "job_id"},
    {&kQueueTable, "queue_pkey", "queue_id"},
    {&kFinishedTaskTable, "finished_task_state_idx", "queue_id"},
};

constexpr const char* kSequences[] = {"run_id_seq", "job_id_seq"};

std::int64_t LargestAt(const Place& place) {
  return pg::Call([&place] {
    const int column = place.table->Number(place.column);
    std::int64_t largest = 0;
    pg::IndexScan scan(*place.table, place.index, AccessShareLock);
    scan.Begin(BackwardScanDirection);
    pg::Row row;
    while (scan.Next(&row) && largest == 0) {
      CHECK_FOR_INTERRUPTS();
      if (row.Int64(column) <= policy::kGreatestNumber) {
        largest = row.Int64(column);
      }
    }
    scan.End();
    return largest;
  });
}

// In the tables.
std::int64_t HighestOf(NumberKind kind) {
  std::int64_t highest = 0;
  if (kind == NumberKind::kRun) {
    for (const Place& place : kRuns) {
      highest = std::max(highest, LargestAt(place));
    }
    return std::max(highest, NewestRunOfCheckpoints());
  }
  for (const Place& place : kJobs) {
    highest = std::max(highest, LargestAt(place));
  }
  return highest;
}

std::int64_t LostRuns(Oid sequence) {
  std::int64_t last = 0;
  if (!pg::Call([&] { return pg::IsOfEarlierTimeline(sequence, &last); })) {
    return 0;
  }
  // Somebody has set it: which numbers were given nobody knows.
  if (last > policy::kGreatestNumber) {
    return 0;
  }
  ereport(LOG,
          (errmsg("run ids go on behind %lld", static_cast<long long>(last + kLostRuns)),
           errdetail("The server was promoted or recovered to a point in time since the last run "
                     "began: runs that it does not know of may have had the numbers up to there."),
           errhidestmt(true)));
  return last + kLostRuns;
}

// One session at a time, and all before it draws its first number: that would make the sequence one
// of this timeline. False when there is no place for what is found.
bool Learn(NumberKind kind, Oid sequence, std::int64_t highest) {
  if (kind == NumberKind::kRun) {
    highest = std::max(highest, LostRuns(sequence));
  }
  return board::LearnNumbers(MyDatabaseId, kind, sequence, std::max(highest, HighestOf(kind)));
}

void LearnOnce(NumberKind kind, Oid sequence) {
  static Oid known[board::kNumberKinds];
  Oid& mine = known[static_cast<int>(kind)];
  if (mine == sequence) {
    return;
  }
  pg::Call([sequence] { pg::LockSequence(sequence); });
  if (board::KnowsNumbers(MyDatabaseId, kind, sequence) || Learn(kind, sequence, 0)) {
    mine = sequence;
  }
  pg::Call([sequence] { pg::UnlockSequence(sequence); });
}

std::int64_t Next(NumberKind kind) {
  const Oid sequence =
      pg::Call([kind] { return pg::OpenSequence(kSequences[static_cast<int>(kind)]); });
  LearnOnce(kind, sequence);
  std::int64_t number = pg::Call([sequence] { return pg::NextNumber(sequence); });
  for (;;) {
    std::int64_t highest = 0;
    switch (board::ClaimNumber(MyDatabaseId, kind, sequence, number, &highest)) {
      case board::NumberClaim::kTaken:
        return number;
      case board::NumberClaim::kOutOfOrder:
        break;
      case board::NumberClaim::kUnknown:
        // Nobody remembers, as in a server that has not preloaded the library.
        highest = HighestOf(kind);
        if (board::LearnNumbers(MyDatabaseId, kind, sequence, highest)) {
          continue;
        }
        if (policy::IsNextNumber(number, highest)) {
          return number;
        }
        break;
    }
    number = pg::Call([=] { return pg::NextNumberAfter(sequence, highest); });
  }
}

}  // namespace

std::int64_t NextRunId() { return Next(NumberKind::kRun); }

std::int64_t NextJobId() { return Next(NumberKind::kJob); }

std::int64_t NewMark() {
  std::int64_t mark = 0;
  while (mark == 0) {
    if (!pg_strong_random(&mark, sizeof(mark))) {
      throw pg::Error(ERRCODE_INTERNAL_ERROR, "could not generate a random number for a run");
    }
  }
  return mark;
}

void LearnRunIds(std::int64_t highest) {
  const Oid sequence = pg::Call([] { return pg::OpenSequence("run_id_seq"); });
  pg::Call([sequence] { pg::LockSequence(sequence); });
  Learn(NumberKind::kRun, sequence, highest);
  pg::Call([sequence] { pg::UnlockSequence(sequence); });
}

}  // namespace ratchet::catalog
