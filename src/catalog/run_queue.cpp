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

constexpr char kPrimaryKey[] = "run_queue_pkey";
constexpr char kJobIndex[] = "run_queue_job_idx";

using Run = QueuedRun;
// clang-format off
constexpr auto kColumns = Declare<Run>(
    Column<Int8, &Run::run_id>("run_id").Sealed(),
    Column<Int8, &Run::job_id>("job_id").Sealed(),
    Column<Int4, &Run::version>("version").Sealed(),
    Column<RoleNumber, &Run::owner>("owner").Sealed(),
    Column<Word<policy::CauseOf>, &Run::cause>("cause").Sealed(),
    Column<Int4, &Run::attempt>("attempt"),
    Column<Time, &Run::scheduled_at>("scheduled_at").Sealed(),
    Nullable<Time, &Run::previous_scheduled_at>("previous_scheduled_at"),
    Column<Time, &Run::run_at>("run_at"),
    Column<Time, &Run::queued_at>("queued_at"),
    Nullable<Time, &Run::claimed_at>("claimed_at"),
    Nullable<Json, &Run::payload>("payload").Sealed(),
    Column<Bool, &Run::coalesce>("coalesce"),
    Column<Bool, &Run::dry_run>("dry_run").Sealed(),
    Nullable<Int8, &Run::replay_of>("replay_of").Sealed(),
    Nullable<Int8, &Run::retry_of>("retry_of").Sealed(),
    Column<Int8, &Run::walk>("walk").Sealed(),
    Nullable<Int8, &Run::items_of>("items_of").Sealed(),
    Nullable<Int8, &Run::backfill_id>("backfill_id").Sealed(),
    Column<Bool, &Run::on_change>("on_change").Sealed(),
    Other<Int8>("share_hash"),
    Column<Int8, &Run::mark>("mark").Sealed(),
    Nullable<Int8, &Run::walk_began>("walk_began").Sealed(),
    Nullable<RoleNumber, &Run::requested_by>("requested_by").Sealed(),
    Other<Int8>("seal"));
// clang-format on

}  // namespace

constexpr pg::TableLayout kRunQueueTable("run_queue", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kRunQueueTable;
constexpr int kRunId = kTable.Number("run_id");
constexpr int kJobId = kTable.Number("job_id");
constexpr int kShareHash = kTable.Number("share_hash");
constexpr int kMark = kTable.Number("mark");

constexpr RowSeal kSeal(kTable, kColumns);

void Read(const pg::Row& row, QueuedRun* run) {
  kColumns.Read(row, run);
  run->has_payload = !run->payload.empty();
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
  kColumns.Fill(run, row);
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

constinit const SealedTable kSealedRuns(kSeal);

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
