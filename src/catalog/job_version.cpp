#include "catalog/job_version.h"

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
namespace {

constexpr const pg::TableLayout& kTable = kJobVersionTable;
constexpr char kPrimaryKey[] = "job_version_pkey";

// Classes of advisory locks: see job_name_lock.cpp, which has those up to 5.
constexpr uint16 kPinLockClass = 6;

enum Column {
  kJobId = 1,
  kVersion,
  kJobName,
  kOwner,
  kOwnerName,
  kSchedule,
  kTimeZone,
  kCommand,
  kTransaction,
  kTimeout,
  kOnlyIf,
  kSettings,
  kPayload,
  kPinnedAt,
  kSource,  // and the other columns of a batch job
  kKeepHistory = kSource + kBatchColumns,
  kSealColumn,
};

constexpr RowSeal kSeal(kTable, kSealColumn,
                        {kJobId, kVersion, kOwner, kCommand, kTransaction, kOnlyIf, kSettings,
                         kPayload, kSource, kSource + 1, kSource + 2, kSource + 3, kSource + 6,
                         kKeepHistory - 1});

void Read(const pg::Row& row, JobVersion* version) {
  version->job_id = row.Int64(kJobId);
  version->version = row.Int32(kVersion);
  version->job_name = row.Text(kJobName);
  version->owner = row.ObjectId(kOwner);
  version->command = row.Text(kCommand);
  Parse(row.Text(kTransaction), &version->transaction);
  version->timeout = 0;
  if (!row.IsNull(kTimeout)) {
    pg::SpanOf(*DatumGetIntervalP(row.values[kTimeout - 1]), &version->timeout);
  }
  version->only_if = row.Text(kOnlyIf);
  version->settings = row.JsonbText(kSettings);
  version->payload = row.JsonbText(kPayload);
  ReadBatch(row, kSource, version);
  version->keep_history = row.SpanOr(kKeepHistory, -1);
}

void Fill(const JobDefinition& job, pg::Row* row) {
  row->SetInt64(kJobId, job.job_id);
  row->SetInt32(kVersion, job.version);
  row->SetText(kJobName, job.job_name);
  row->SetOid(kOwner, job.owner);
  // The role may be dropped one day: its name is what people will know it by.
  const char* owner_name = GetUserNameFromId(job.owner, true);
  auto* name = static_cast<NameData*>(palloc0(sizeof(NameData)));
  namestrcpy(name, owner_name != nullptr ? owner_name : "");
  row->Set(kOwnerName, NameGetDatum(name));
  row->SetText(kSchedule, job.schedule);
  row->SetText(kTimeZone, job.time_zone);
  if (!job.is_batch() && !job.is_queue) {
    row->SetText(kCommand, job.command);
  }
  row->SetText(kTransaction, Name(job.transaction));
  if (job.timeout != 0) {
    row->Set(kTimeout, IntervalPGetDatum(pg::IntervalOf(job.timeout)));
  }
  if (!job.only_if.empty()) {
    row->SetText(kOnlyIf, job.only_if);
  }
  row->SetJsonb(kSettings, job.settings);
  row->SetJsonb(kPayload, job.payload);
  FillBatch(job, kSource, row);
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
TransactionId WhoPins(const JobDefinition& job) {
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  pg::IndexScan scan(kTable, kPrimaryKey, AccessShareLock);
  scan.Equal(kJobId, job.job_id)
      .EqualInt32(kVersion, job.version)
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
TransactionId Pin(const JobDefinition& job, pg::IfBusy if_busy) {
  const TransactionId other = WhoPins(job);
  if (TransactionIdIsValid(other)) {
    return other;
  }
  pg::Row wanted;
  Fill(job, &wanted);
  pg::Row row;
  ItemPointerData tid;
  pg::IndexScan scan(kTable, kPrimaryKey, RowExclusiveLock);
  scan.Equal(kJobId, job.job_id).EqualInt32(kVersion, job.version).Begin();
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

constinit const SealedTable kSealedVersions{&kSeal, kJobId, kOwner};

bool PinJobVersion(std::int64_t job_id, std::int32_t version, pg::IfBusy if_busy) {
  for (;;) {
    const LOCKTAG lock = LockOfPins(job_id);
    pg::Call([&lock] { LockAcquire(&lock, ExclusiveLock, false, false); });
    const auto job = FindJob(job_id);
    if (!job || job->version != version) {
      pg::Call([&lock] { LockRelease(&lock, ExclusiveLock, false); });
      return false;
    }
    TransactionId other = InvalidTransactionId;
    pg::Call([&] {
      other = Pin(*job, if_busy);
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
