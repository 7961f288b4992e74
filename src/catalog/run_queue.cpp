#include "catalog/run_queue.h"

#include <string_view>

#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"
#include "pg/row_lock.h"
#include "pg/text_hash.h"

namespace ratchet::catalog {
namespace {

constexpr const pg::TableLayout& kTable = kRunQueueTable;
constexpr char kPrimaryKey[] = "run_queue_pkey";
constexpr char kJobIndex[] = "run_queue_job_idx";

enum Column {
  kRunId = 1,
  kJobId,
  kVersion,
  kOwner,
  kCause,
  kAttempt,
  kScheduledAt,
  kPreviousScheduledAt,
  kRunAt,
  kQueuedAt,
  kClaimedAt,
  kPayload,
  kCoalesce,
  kDryRun,
  kReplayOf,
  kRetryOf,
  kWalk,
  kItemsOf,
  kBackfillId,
  kOnChange,
  kShareHash,
  kMark,
  kWalkBegan,
  kRequestedBy,
  kSealColumn,
};

constexpr RowSeal kSeal(kTable, kSealColumn,
                        {kRunId, kJobId, kVersion, kOwner, kCause, kScheduledAt, kPayload, kDryRun,
                         kReplayOf, kRetryOf, kWalk, kItemsOf, kBackfillId, kOnChange, kMark,
                         kWalkBegan, kRequestedBy});

void Read(const pg::Row& row, QueuedRun* run) {
  run->run_id = row.Int64(kRunId);
  run->job_id = row.Int64(kJobId);
  run->version = row.Int32(kVersion);
  run->owner = row.ObjectId(kOwner);
  run->cause = policy::CauseOf(row.Text(kCause));
  run->attempt = row.Int32(kAttempt);
  run->scheduled_at = row.Time(kScheduledAt);
  run->previous_scheduled_at = row.TimeOrZero(kPreviousScheduledAt);
  run->run_at = row.Time(kRunAt);
  run->queued_at = row.Time(kQueuedAt);
  run->claimed_at = row.TimeOrZero(kClaimedAt);
  run->payload = row.JsonbText(kPayload);
  run->has_payload = !run->payload.empty();
  run->coalesce = row.Bool(kCoalesce);
  run->dry_run = row.Bool(kDryRun);
  run->replay_of = row.Int64Or(kReplayOf, 0);
  run->retry_of = row.Int64Or(kRetryOf, 0);
  run->walk = row.Int64(kWalk);
  run->items_of = row.Int64Or(kItemsOf, 0);
  run->backfill_id = row.Int64Or(kBackfillId, 0);
  run->on_change = row.Bool(kOnChange);
  run->mark = row.Int64(kMark);
  run->walk_began = row.Int64Or(kWalkBegan, 0);
  run->requested_by = row.ObjectIdOrNone(kRequestedBy);
  run->quarantined = !kSeal.Fits(row);
}

// Finds the run that a trigger may share, among any number that wait. It stays what it is when the
// run is claimed: an update that changes no index is a cheap one. What is asked for at once has
// time 0.
std::int64_t ShareHash(const QueuedRun& run, TimestampTz run_at) {
  return pg::HashOf(run.payload, static_cast<std::uint64_t>(run_at) + run.requested_by);
}

bool IsShared(const QueuedRun& run) {
  return run.coalesce && !run.dry_run && run.cause == policy::Cause::kTrigger;
}

void Fill(const QueuedRun& run, pg::Row* row) {
  row->SetInt64(kRunId, run.run_id);
  row->SetInt64(kJobId, run.job_id);
  row->SetInt32(kVersion, run.version);
  row->SetOid(kOwner, run.owner);
  row->SetText(kCause, policy::Name(run.cause));
  row->SetInt32(kAttempt, run.attempt);
  row->SetTime(kScheduledAt, run.scheduled_at);
  row->SetTimeOrNull(kPreviousScheduledAt, run.previous_scheduled_at);
  row->SetTime(kRunAt, run.run_at);
  row->SetTime(kQueuedAt, run.queued_at);
  row->SetTimeOrNull(kClaimedAt, run.claimed_at);
  row->SetJsonb(kPayload, run.payload);
  row->SetBool(kCoalesce, run.coalesce);
  row->SetBool(kDryRun, run.dry_run);
  if (run.replay_of != 0) {
    row->SetInt64(kReplayOf, run.replay_of);
  }
  if (run.retry_of != 0) {
    row->SetInt64(kRetryOf, run.retry_of);
  }
  row->SetInt64(kWalk, run.walk);
  if (run.items_of != 0) {
    row->SetInt64(kItemsOf, run.items_of);
  }
  if (run.backfill_id != 0) {
    row->SetInt64(kBackfillId, run.backfill_id);
  }
  row->SetBool(kOnChange, run.on_change);
  row->SetInt64(kMark, run.mark);
  if (run.walk_began != 0) {
    row->SetInt64(kWalkBegan, run.walk_began);
  }
  row->SetOidOrNull(kRequestedBy, run.requested_by);
  if (IsShared(run)) {
    row->SetInt64(kShareHash, ShareHash(run, run.run_at > run.queued_at ? run.run_at : 0));
  }
  if (!run.quarantined) {
    kSeal.Put(row);
  }
}

bool MayShare(const QueuedRun& run, const QueuedRun& like) {
  if (!IsShared(run) || run.claimed_at != 0 || run.version != 0 || run.quarantined ||
      run.owner != like.owner || run.requested_by != like.requested_by ||
      run.payload != like.payload) {
    return false;
  }
  return like.run_at == 0 ? run.run_at <= run.queued_at : run.run_at == like.run_at;
}

// Inside of pg::Call, with a lock on the table.
bool FindAt(Relation table, std::int64_t run_id, ItemPointer tid) {
  return pg::LocateRow(table, kTable, {kPrimaryKey, kRunId, run_id}, tid);
}

}  // namespace

constinit const SealedTable kSealedRuns{&kSeal, kJobId, kOwner};

void InsertQueuedRun(const QueuedRun& run, ItemPointer tid) {
  pg::Call([&run, tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(run, &row);
    pg::InsertRow(table, row, tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

bool LockQueuedRun(std::int64_t run_id, ItemPointer tid) {
  return pg::Call([run_id, tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    const bool locked =
        FindAt(table, run_id, tid) &&
        pg::LockRow(table, tid, LockTupleNoKeyExclusive, false) == pg::RowLock::kLocked;
    table_close(table, NoLock);
    return locked;
  });
}

void UpdateQueuedRun(ItemPointer tid, const QueuedRun& run) {
  pg::Call([&run, tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(run, &row);
    pg::UpdateRow(table, tid, row);
    table_close(table, NoLock);
  });
}

void DeleteQueuedRun(std::int64_t run_id, std::int64_t mark, ItemPointer tid) {
  pg::Call([run_id, mark, tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    ItemPointerData at;
    ItemPointerSetInvalid(&at);
    if (tid != nullptr) {
      at = *tid;
    }
    if (FindAt(table, run_id, &at) && pg::IsRowAt(table, &at, kMark, mark)) {
      pg::DeleteRow(table, &at);
    }
    table_close(table, NoLock);
  });
}

std::optional<FoundRun> FindQueuedRun(std::int64_t run_id, std::int64_t mark) {
  FoundRun found;
  const bool exists = pg::Call([&found, run_id, mark] {
    pg::Row row;
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Equal(kRunId, run_id).Begin();
    const bool hit = scan.Next(&row, &found.tid) && (mark == 0 || row.Int64(kMark) == mark);
    if (hit) {
      Read(row, &found.run);
      found.of_this_transaction = TransactionIdIsCurrentTransactionId(scan.xmin());
    }
    scan.End();
    return hit;
  });
  return exists ? std::optional<FoundRun>(std::move(found)) : std::nullopt;
}

std::string PayloadOf(const policy::RunIdentity& run) {
  if (!run.has_payload) {
    return {};
  }
  auto found = FindQueuedRun(run.run_id, run.mark);
  return found ? std::move(found->run.payload) : std::string();
}

std::optional<FoundRun> FindCoalescible(const QueuedRun& like) {
  FoundRun found;
  const bool exists = pg::Call([&] {
    pg::Row row;
    bool hit = false;
    pg::IndexScan scan(kTable, kJobIndex, AccessShareLock);
    scan.Equal(kJobId, like.job_id).Equal(kShareHash, ShareHash(like, like.run_at)).Begin();
    while (!hit && scan.Next(&row, &found.tid)) {
      Read(row, &found.run);
      hit = MayShare(found.run, like);
      found.of_this_transaction = TransactionIdIsCurrentTransactionId(scan.xmin());
    }
    scan.End();
    return hit;
  });
  return exists ? std::optional<FoundRun>(std::move(found)) : std::nullopt;
}

void FindQueuedRunsOf(std::int64_t job_id, std::vector<FoundRun>* runs) {
  runs->clear();
  pg::Call([=] {
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan(kTable, kJobIndex, AccessShareLock);
    scan.Equal(kJobId, job_id).Begin();
    while (scan.Next(&row, &tid)) {
      FoundRun& found = runs->emplace_back();
      Read(row, &found.run);
      found.tid = tid;
      found.of_this_transaction = TransactionIdIsCurrentTransactionId(scan.xmin());
    }
    scan.End();
  });
}

void ScanQueuedRuns(void (*visit)(void* context, const FoundRun& run), void* context) {
  FoundRun found;
  found.of_this_transaction = false;
  pg::Call([&] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row, &found.tid)) {
      CHECK_FOR_INTERRUPTS();
      Read(row, &found.run);
      visit(context, found);
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
