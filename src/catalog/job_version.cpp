#include "catalog/job_version.h"

#include "catalog/job_columns.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_change.h"
#include "pg/span.h"

extern "C" {
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
}

namespace ratchet::catalog {

constexpr pg::TableLayout kJobVersionTable("job_version", kJobVersionColumns.layout);

namespace {

constexpr char kPrimaryKey[] = "job_version_pkey";

// Classes of advisory locks: see job_name_lock.cpp, which has those up to 5.
constexpr uint16 kPinLockClass = 6;

constexpr const pg::TableLayout& kTable = kJobVersionTable;
constexpr int kJobId = kTable.Number("job_id");
constexpr int kVersion = kTable.Number("version");
constexpr int kOwner = kTable.Number("owner");
constexpr int kOwnerName = kTable.Number("owner_name");
constexpr int kPinnedAt = kTable.Number("pinned_at");
constexpr int kSource = kTable.Number("source");
constexpr int kPer = kTable.Number("per");
constexpr int kKeepHistory = kTable.Number("keep_history");
constexpr int kSealColumn = kTable.Number("seal");

constexpr RowSeal kSeal(kTable, kJobVersionColumns);

JobVersion VersionOf(const JobDefinition& job) {
  JobVersion version;
  version.pinned() = job;
  version.job_id = job.job_id;
  version.version = job.version;
  return version;
}

// For use inside pg::Call, as all that follows and takes a Row.
void Read(const pg::Row& row, JobVersion* version) {
  kJobVersionColumns.Read(row, version);
  version->is_queue = !row.IsNull(kPer) && row.IsNull(kSource);
}

void Fill(const JobVersion& version, pg::Row* row) {
  kJobVersionColumns.Fill(version, row);
  // The role may be dropped one day: its name is what people will know it by.
  const char* owner_name = GetUserNameFromId(version.owner, true);
  auto* name = static_cast<NameData*>(palloc0(sizeof(NameData)));
  namestrcpy(name, owner_name != nullptr ? owner_name : "");
  row->Set(kOwnerName, NameGetDatum(name));
  row->SetTime(kPinnedAt, GetCurrentTransactionStartTimestamp());
  kSeal.Put(row);
}

// Seals are the same where all is that they cover.
bool IsSame(const pg::Row& kept, const pg::Row& wanted) {
  return kSeal.Fits(kept) && !wanted.IsNull(kSealColumn) &&
         kept.Int64(kSealColumn) == wanted.Int64(kSealColumn);
}

// Held while one looks for the row and inserts it.
LOCKTAG LockOfPins(std::int64_t job_id) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(job_id >> 32),
                       static_cast<std::uint32_t>(job_id), kPinLockClass);
  return tag;
}

// The transaction that inserts or deletes the row of this version and has not ended, if there is
// one.
TransactionId WhoPins(const JobVersion& version) {
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
  scan.Equal(kJobId, version.job_id)
      .EqualInt32(kVersion, version.version)
      .Begin(ForwardScanDirection, &dirty);
  pg::Row row;
  const bool found = scan.Next(&row);
  scan.End();
  const TransactionId inserting = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
  return found ? inserting : InvalidTransactionId;
}

// Returns the transaction that has to end before it is known whether the version is kept, if there
// is one. It is looked for first: what has ended by then is seen by the scan. A row that
// says something else was not written by the library, or for another job that had the number: what
// the job is now is what runs.
TransactionId Pin(const JobVersion& version, pg::IfBusy if_busy) {
  const TransactionId other = WhoPins(version);
  if (TransactionIdIsValid(other)) {
    return other;
  }
  pg::Row wanted;
  Fill(version, &wanted);
  pg::Row row;
  ItemPointerData tid;
  pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
  scan.Equal(kJobId, version.job_id).EqualInt32(kVersion, version.version).Begin();
  if (!scan.Next(&row, &tid)) {
    pg::InsertRow(scan.table(), wanted);
    CommandCounterIncrement();
  } else if (!IsSame(row, wanted) &&
             pg::HoldRow(scan.table(), &tid, if_busy, &row) == pg::RowHold::kHeld &&
             !IsSame(row, wanted)) {
    pg::UpdateRow(scan.table(), &tid, wanted);
    CommandCounterIncrement();
  }
  scan.End();
  return InvalidTransactionId;
}

}  // namespace

constinit const SealedTable kSealedVersions(kSeal);

bool PinJobVersion(std::int64_t job_id, std::int32_t version, pg::IfBusy if_busy) {
  for (;;) {
    const LOCKTAG lock = LockOfPins(job_id);
    pg::Call([&lock] { LockAcquire(&lock, ExclusiveLock, false, false); });
    const auto job = FindJob(job_id);
    if (!job || job->version != version) {
      pg::Call([&lock] { LockRelease(&lock, ExclusiveLock, false); });
      return false;
    }
    const JobVersion pinned = VersionOf(*job);
    TransactionId other = InvalidTransactionId;
    pg::Call([&] {
      other = Pin(pinned, if_busy);
      LockRelease(&lock, ExclusiveLock, false);
    });
    if (!TransactionIdIsValid(other)) {
      return true;
    }
    if (if_busy == pg::IfBusy::kGiveUp) {
      return false;
    }
    pg::Call([other] { XactLockTableWait(other, nullptr, nullptr, XLTW_None); });
  }
}

std::optional<JobVersion> FindJobVersion(std::int64_t job_id, std::int32_t version) {
  std::optional<JobVersion> kept(std::in_place);
  const bool found = pg::Call([&kept, job_id, version] {
    pg::Row row;
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Equal(kJobId, job_id).EqualInt32(kVersion, version).Begin();
    const bool hit = scan.Next(&row) && kSeal.Fits(row);
    if (hit) {
      Read(row, &*kept);
    }
    scan.End();
    return hit;
  });
  return found ? std::move(kept) : std::nullopt;
}

std::optional<JobVersion> FindNewestVersion(std::int64_t job_id) {
  std::optional<JobVersion> kept(std::in_place);
  const bool found = pg::Call([&kept, job_id] {
    pg::Row row;
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Equal(kJobId, job_id).Begin(BackwardScanDirection);
    const bool hit = scan.Next(&row);
    if (hit) {
      Read(row, &*kept);
    }
    scan.End();
    return hit;
  });
  return found ? std::move(kept) : std::nullopt;
}

void ScanVersionedJobs(void (*visit)(void* context, std::int64_t job_id, Oid owner),
                       void* context) {
  pg::Call([visit, context] {
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      visit(context, row.Int64(kJobId), row.ObjectId(kOwner));
    }
    scan.End();
  });
}

std::optional<std::string> FindVersionedName(std::int64_t job_id) {
  std::optional<JobVersion> newest = FindNewestVersion(job_id);
  return newest ? std::optional(std::move(newest->job_name)) : std::nullopt;
}

void KeepHistoryOf(const JobDefinition& job) {
  if (job.keep_history < 0) {
    return;
  }
  pg::Call([&job] {
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
    scan.Equal(kJobId, job.job_id).Begin(BackwardScanDirection);
    if (scan.Next(&row, &tid)) {
      row.Set(kKeepHistory, IntervalPGetDatum(pg::IntervalOf(job.keep_history)));
      pg::UpdateRow(scan.table(), &tid, row);
      CommandCounterIncrement();
    }
    scan.End();
  });
}

// The scheduler may have pinned another version since.
std::int64_t FindKeptHistory(std::int64_t job_id) {
  return pg::Call([job_id] {
    std::int64_t keep = -1;
    pg::Row row;
    pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
    scan.Equal(kJobId, job_id).Begin(BackwardScanDirection);
    while (keep < 0 && scan.Next(&row)) {
      keep = row.SpanOr(kKeepHistory, -1);
    }
    scan.End();
    return keep;
  });
}

void DeleteJobVersions(std::int64_t job_id) {
  pg::Call([job_id] {
    pg::Row row;
    ItemPointerData tid;
    pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    while (scan.Next(&row, &tid)) {
      pg::DeleteRow(scan.table(), &tid);
    }
    scan.End();
  });
}

}  // namespace ratchet::catalog
