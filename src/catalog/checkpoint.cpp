#include "catalog/checkpoint.h"

#include <algorithm>

#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/text_hash.h"
#include "policy/numbers.h"

extern "C" {
#include "access/xact.h"
#include "storage/bufmgr.h"
}

namespace ratchet::catalog {
namespace {

constexpr char kPrimaryKey[] = "job_checkpoint_pkey";

using Counters = board::RunCounters;
// clang-format off
constexpr auto kColumns = Declare<Checkpoint>(
    Column<Int8, &Checkpoint::job_id>("job_id").Sealed(),
    Column<Int8, &Checkpoint::walk>("walk").Sealed(),
    Column<RoleNumber, &Checkpoint::owner>("owner").Sealed(),
    Column<Int8, &Checkpoint::run_id>("run_id").Sealed(),
    Other<Time>("saved_at"),
    Nullable<Json, &Checkpoint::value>("value").Sealed(),
    Nullable<Json, &Checkpoint::run_from>("run_from").Sealed(),
    Column<Int8, &Checkpoint::counters, &Counters::items_done>("items_done"),
    Column<Int8, &Checkpoint::counters, &Counters::items_failed>("items_failed"),
    Column<Int8, &Checkpoint::counters, &Counters::batches>("batches"),
    Column<Int8, &Checkpoint::counters, &Counters::rows_affected>("rows_affected"),
    Column<Int8, &Checkpoint::walk_items>("walk_items"),
    Column<Int8, &Checkpoint::first_run>("first_run").Sealed(),
    Nullable<Text, &Checkpoint::key>("key").Sealed(),
    Column<Int8, &Checkpoint::run_mark>("run_mark").Sealed(),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kJobCheckpointTable("job_checkpoint", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kJobCheckpointTable;
constexpr int kJobId = kTable.Number("job_id");
constexpr int kWalk = kTable.Number("walk");
constexpr int kRunId = kTable.Number("run_id");
constexpr int kSavedAt = kTable.Number("saved_at");
constexpr int kFirstRun = kTable.Number("first_run");

constexpr RowSeal kSeal(kTable, kColumns);

// All that follows is for use inside pg::Call.

void Read(const pg::Row& row, Checkpoint* checkpoint) {
  kColumns.Read(row, checkpoint);
  checkpoint->quarantined = !kSeal.Fits(row);
}

void Fill(const Checkpoint& checkpoint, pg::Row* row) {
  kColumns.Fill(checkpoint, row);
  row->SetTime(kSavedAt, GetCurrentTimestamp());
  kSeal.Put(row);
}

bool Find(std::int64_t job_id, std::int64_t walk, LOCKMODE mode, pg::Row* row, ItemPointer tid) {
  pg::IndexScan scan(kTable, kPrimaryKey, mode);
  scan.Equal(kJobId, job_id).Equal(kWalk, walk).Begin();
  const bool found = scan.Next(row, tid);
  scan.End();
  return found;
}

// Whether the walk's row is at this place. It may have moved (VACUUM FULL), or have been deleted,
// and the place may be another walk's by now.
bool IsAt(Relation table, const Checkpoint& checkpoint, ItemPointer tid, pg::Row* row) {
  return ItemPointerIsValid(tid) && pg::FetchRow(table, tid, row) &&
         row->Int64(kJobId) == checkpoint.job_id && row->Int64(kWalk) == checkpoint.walk;
}

// Most runs end without a checkpoint, and in most databases nobody has one at all.
bool HasRows(Relation table) { return RelationGetNumberOfBlocks(table) > 0; }

}  // namespace

constinit const SealedTable kSealedCheckpoints(kSeal);

std::int64_t WalkOfPayload(const std::string& payload) {
  return -1 - (pg::HashOf(payload) & PG_INT64_MAX);
}

std::int64_t WalkOf(const policy::RunIdentity& run, const std::string& payload, WalkRules job) {
  // Runs of a batch job that may overlap cannot share a checkpoint.
  if (job.is_batch && job.side_by_side) {
    return run.run_id;
  }
  // That of an incremental job is the same for all of its runs.
  if (job.is_batch && job.is_incremental) {
    return 0;
  }
  // An occurrence that was given up leaves nothing of itself to the next one.
  if (run.backfill_id != 0) {
    return run.run_id;
  }
  return payload.empty() ? 0 : WalkOfPayload(payload);
}

std::optional<Checkpoint> FindCheckpoint(std::int64_t job_id, std::int64_t walk, ItemPointer tid) {
  Checkpoint checkpoint;
  const bool found = pg::Call([&] {
    pg::Row row;
    const bool is_there = Find(job_id, walk, AccessShareLock, &row, tid);
    if (is_there) {
      Read(row, &checkpoint);
    }
    return is_there;
  });
  return found ? std::optional(std::move(checkpoint)) : std::nullopt;
}

std::optional<Checkpoint> FindOwnCheckpoint(std::int64_t job_id, std::int64_t walk,
                                            ItemPointer tid) {
  std::optional<Checkpoint> checkpoint = FindCheckpoint(job_id, walk, tid);
  if (checkpoint && checkpoint->quarantined) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "the checkpoint of the job was not written by pg_ratchet",
                    "Give it up with ratchet.reset_checkpoint(), or let a superuser look at "
                    "ratchet.job_checkpoint and run SELECT ratchet.adopt().");
  }
  return checkpoint;
}

bool WalkHasEnded(const policy::RunIdentity& run) {
  if (run.walk_began == 0) {
    return false;
  }
  const auto checkpoint = FindCheckpoint(run.job_id, run.walk);
  return !checkpoint || checkpoint->first_run != run.walk_began;
}

bool CheckpointIsBeingChanged(std::int64_t job_id, std::int64_t walk) {
  return pg::Call([=] {
    pg::Row row;
    ItemPointerData tid;
    Relation table = pg::OpenTable(kTable, AccessShareLock);
    const bool changes = HasRows(table) && Find(job_id, walk, AccessShareLock, &row, &tid) &&
                         pg::IsBeingChanged(table, &tid);
    table_close(table, NoLock);
    return changes;
  });
}

bool HoldCheckpoint(std::int64_t job_id, std::int64_t walk) {
  return pg::Call([=] {
    if (!pg::TryLockTable(kTable.name, RowExclusiveLock)) {
      return false;
    }
    if (!pg::HasTable(kTable.name)) {
      return true;
    }
    pg::Row row;
    ItemPointerData tid;
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    const bool is_free = !HasRows(table) || !Find(job_id, walk, RowExclusiveLock, &row, &tid) ||
                         pg::HoldRow(table, &tid, pg::IfBusy::kGiveUp) != pg::RowHold::kBusy;
    table_close(table, NoLock);
    return is_free;
  });
}

void SaveCheckpoint(const Checkpoint& checkpoint, ItemPointer tid) {
  pg::Call([&] {
    pg::Row row;
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    // Who changes the job's key deletes the row, also while a run goes on by the old one.
    const bool is_there = (IsAt(table, checkpoint, tid, &row) ||
                           Find(checkpoint.job_id, checkpoint.walk, RowExclusiveLock, &row, tid)) &&
                          pg::HoldRow(table, tid, pg::IfBusy::kWait) == pg::RowHold::kHeld;
    pg::Row saved;
    Fill(checkpoint, &saved);
    if (is_there) {
      pg::UpdateRow(table, tid, saved);
    } else {
      pg::InsertRow(table, saved, tid);
    }
    table_close(table, NoLock);
    // What is saved again in the same transaction must find what was written.
    CommandCounterIncrement();
  });
}

std::int64_t NewestRunOfCheckpoints() {
  return pg::Call([] {
    std::int64_t newest = 0;
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      for (const int column : {kRunId, kWalk, kFirstRun}) {
        if (row.Int64(column) <= policy::kGreatestNumber) {
          newest = std::max(newest, row.Int64(column));
        }
      }
    }
    scan.End();
    return newest;
  });
}

void DeleteCheckpoint(std::int64_t job_id, std::int64_t walk, pg::IfBusy if_busy) {
  pg::Call([&] {
    pg::Row row;
    ItemPointerData tid;
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    if (HasRows(table) && Find(job_id, walk, RowExclusiveLock, &row, &tid)) {
      pg::DeleteRow(table, &tid, if_busy);
    }
    table_close(table, NoLock);
  });
}

namespace {

bool Delete(std::int64_t job_id, bool only_lasting, pg::IfBusy if_busy) {
  return pg::Call([=] {
    bool any = false;
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    while (scan.Next(&row, &tid)) {
      if (!only_lasting || !EndsWithItsRun(row.Int64(kWalk))) {
        pg::DeleteRow(scan.table(), &tid, if_busy);
        any = true;
      }
    }
    scan.End();
    return any;
  });
}

}  // namespace

bool DeleteLastingCheckpoints(std::int64_t job_id) {
  return Delete(job_id, true, pg::IfBusy::kWait);
}

void DeleteCheckpoints(std::int64_t job_id, pg::IfBusy if_busy) { Delete(job_id, false, if_busy); }

}  // namespace ratchet::catalog
