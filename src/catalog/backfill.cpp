#include "catalog/backfill.h"

#include <algorithm>

#include "calendar/schedule.h"
#include "catalog/run_queue.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"
#include "pg/sequence.h"
#include "policy/numbers.h"

extern "C" {
#include "access/xact.h"
}

namespace ratchet::catalog {
namespace {

// clang-format off
constexpr auto kColumns = Declare<Backfill>(
    Column<Int8, &Backfill::backfill_id>("backfill_id").Sealed(),
    Column<Int8, &Backfill::job_id>("job_id").Sealed(),
    Column<Role, &Backfill::owner>("owner").Sealed(),
    Column<Time, &Backfill::after_time>("after_time").Sealed(),
    Nullable<Time, &Backfill::to_time>("to_time").Sealed(),
    Column<Bool, &Backfill::holds_schedule>("holds_schedule").Sealed(),
    Column<Time, &Backfill::requested_at>("requested_at"),
    Nullable<Role, &Backfill::requested_by>("requested_by").Sealed(),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kBackfillTable("backfill", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kBackfillTable;
constexpr int kBackfillId = kTable.Number("backfill_id");
constexpr int kJobId = kTable.Number("job_id");

constexpr RowSeal kSeal(kTable, kColumns);

// For use inside pg::Call.

void Read(const pg::Row& row, Backfill* backfill) {
  kColumns.Read(row, backfill);
  backfill->quarantined = !kSeal.Fits(row);
}

void Fill(const Backfill& backfill, pg::Row* row) {
  kColumns.Fill(backfill, row);
  kSeal.Put(row);
}

template <typename Scan>
void ReadAll(Scan* scan, std::vector<Backfill>* backfills) {
  pg::Row row;
  ItemPointerData tid;
  while (scan->Next(&row, &tid)) {
    Backfill& backfill = backfills->emplace_back();
    Read(row, &backfill);
    backfill.tid = tid;
  }
  scan->End();
}

// Of those that are not finished, and of those whose runs are.
std::int64_t HighestBackfill(std::int64_t job_id) {
  std::int64_t highest = pg::Call([] {
    pg::IndexScan scan(kTable, "backfill_pkey", AccessShareLock);
    scan.Begin(BackwardScanDirection);
    pg::Row row;
    std::int64_t last = 0;
    while (scan.Next(&row) && last == 0) {
      CHECK_FOR_INTERRUPTS();
      if (row.Int64(kBackfillId) <= policy::kGreatestNumber) {
        last = row.Int64(kBackfillId);
      }
    }
    scan.End();
    return last;
  });
  std::vector<FoundRun> runs;
  FindQueuedRunsOf(job_id, &runs);
  for (const FoundRun& found : runs) {
    highest = std::max(highest, found.run.backfill_id);
  }
  return highest;
}

// Rows that somebody else is about to move on or has removed are looked at again.
void EndHold(std::int64_t job_id) {
  std::vector<Backfill> backfills;
  for (bool again = true; again;) {
    again = false;
    FindBackfills(job_id, &backfills);
    for (const Backfill& backfill : backfills) {
      if (!backfill.holds_schedule) {
        continue;
      }
      if (LockBackfill(backfill, true) == pg::RowLock::kLocked) {
        DeleteBackfill(backfill);
      } else {
        again = true;
      }
    }
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

}  // namespace

constinit const SealedTable kSealedBackfills(kSeal);

void InsertBackfill(Backfill* backfill) {
  const std::int64_t highest = HighestBackfill(backfill->job_id);
  pg::Call([backfill, highest] {
    const Oid sequence = pg::OpenSequence("backfill_id_seq");
    backfill->backfill_id = pg::NextNumberAfter(sequence, highest);
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(*backfill, &row);
    pg::InsertRow(table, row, &backfill->tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void FindBackfills(std::int64_t job_id, std::vector<Backfill>* backfills) {
  backfills->clear();
  pg::Call([=] {
    if (job_id == 0) {
      pg::TableScan scan(kTable, AccessShareLock);
      ReadAll(&scan, backfills);
    } else {
      pg::IndexScan scan(kTable, "backfill_job_idx", AccessShareLock);
      scan.Equal(kJobId, job_id).Begin();
      ReadAll(&scan, backfills);
    }
  });
  std::sort(backfills->begin(), backfills->end(),
            [](const Backfill& a, const Backfill& b) { return a.backfill_id < b.backfill_id; });
}

pg::RowLock LockBackfill(const Backfill& backfill, bool wait) {
  ItemPointerData tid = backfill.tid;
  return pg::Call([&tid, wait, backfill_id = backfill.backfill_id] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    // After VACUUM FULL another one may be there, and ours is for the caller to find.
    const pg::RowLock lock = pg::IsRowAt(table, &tid, kBackfillId, backfill_id)
                                 ? pg::LockRow(table, &tid, LockTupleExclusive, wait)
                                 : pg::RowLock::kChanged;
    table_close(table, NoLock);
    return lock;
  });
}

void UpdateBackfill(Backfill* backfill) {
  pg::Call([backfill] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(*backfill, &row);
    pg::UpdateRow(table, &backfill->tid, row);
    table_close(table, NoLock);
    // The next occurrence may be queued in the same transaction.
    CommandCounterIncrement();
  });
}

void DeleteBackfill(const Backfill& backfill) {
  ItemPointerData tid = backfill.tid;
  pg::Call([&tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, &tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void StartBackfillOf(const JobDefinition& job, const JobDefinition* old) {
  const TimestampTz before = old != nullptr ? old->backfill_from : 0;
  if (job.backfill_from == 0 && before == 0) {
    return;
  }
  if (job.backfill_from != 0 &&
      !calendar::Schedule::Parse(job.schedule, job.job_name).HasFixedTimes()) {
    throw pg::Error(
        ERRCODE_INVALID_PARAMETER_VALUE,
        "backfill_from cannot be used with schedule \"" + job.schedule + "\"",
        "Only schedules whose times are known in advance have past occurrences, such as "
        "'0 3 * * *' or '1 hour'.");
  }
  if (job.backfill_from == before) {
    return;
  }
  EndHold(job.job_id);
  if (job.backfill_from == 0) {
    return;
  }
  Backfill backfill;
  backfill.job_id = job.job_id;
  backfill.owner = job.owner;
  backfill.after_time = job.backfill_from - 1;
  backfill.holds_schedule = true;
  backfill.requested_at = GetCurrentTransactionStartTimestamp();
  InsertBackfill(&backfill);
}

}  // namespace ratchet::catalog
