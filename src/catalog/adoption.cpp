#include "catalog/adoption.h"

#include <optional>

#include "catalog/delivery.h"
#include "catalog/home.h"
#include "catalog/job.h"
#include "catalog/queue.h"
#include "catalog/seal.h"
#include "pg/guard.h"
#include "pg/row_change.h"

namespace ratchet::catalog {
namespace {

struct FoundRow {
  ItemPointerData tid;
  std::int64_t job_id;
  Oid owner;
};

// Where the key has just been made, these are all rows.
std::vector<FoundRow> FindUnsealed(const SealedTable& sealed) {
  std::vector<FoundRow> found;
  pg::Call([&] {
    MemoryContext row_memory =
        AllocSetContextCreate(CurrentMemoryContext, "ratchet row", ALLOCSET_DEFAULT_SIZES);
    pg::TableScan scan(sealed.seal->table(), RowExclusiveLock);
    pg::Row row;
    ItemPointerData tid;
    while (scan.Next(&row, &tid)) {
      CHECK_FOR_INTERRUPTS();
      MemoryContext outer = MemoryContextSwitchTo(row_memory);
      if (!sealed.seal->Fits(row)) {
        const Oid owner = sealed.owner != 0 ? row.ObjectId(sealed.owner) : InvalidOid;
        found.push_back({tid, row.Int64(sealed.job_id), owner});
      }
      MemoryContextSwitchTo(outer);
      MemoryContextReset(row_memory);
    }
    scan.End();
    MemoryContextDelete(row_memory);
  });
  return found;
}

void SealRow(const SealedTable& sealed, const FoundRow& found, Oid owner) {
  ItemPointerData tid = found.tid;
  pg::Call([&] {
    MemoryContext row_memory =
        AllocSetContextCreate(CurrentMemoryContext, "ratchet row", ALLOCSET_SMALL_SIZES);
    MemoryContext outer = MemoryContextSwitchTo(row_memory);
    Relation table = pg::OpenTable(sealed.seal->table(), RowExclusiveLock);
    pg::Row row;
    if (pg::HoldRow(table, &tid, pg::IfBusy::kWait, &row) == pg::RowHold::kHeld) {
      if (sealed.owner != 0) {
        row.SetOid(sealed.owner, owner);
      }
      sealed.seal->Put(&row);
      pg::UpdateRow(table, &tid, row);
      if (&sealed == &kSealedJobs || &sealed == &kSealedQueues) {
        AnnounceQueues();
      }
      CommandCounterIncrement();  // what belongs to the job looks whether it is adopted
    }
    table_close(table, NoLock);
    MemoryContextSwitchTo(outer);
    MemoryContextDelete(row_memory);
  });
}

// Of those that say themselves whose they are.
void SealOwnedRows(const SealedTable& sealed, bool (*may_adopt)(Oid owner)) {
  for (const FoundRow& found : FindUnsealed(sealed)) {
    if (may_adopt(found.owner)) {
      SealRow(sealed, found, found.owner);
    }
  }
}

// What the numbers of roles in a dump mean here nobody knows: the job says whose a row is.
void SealRowsOfJobs(const SealedTable& sealed, bool has_own_owner, bool (*may_adopt)(Oid owner)) {
  for (const FoundRow& found : FindUnsealed(sealed)) {
    const auto job = FindJob(found.job_id);
    if (!job || job->quarantined || !may_adopt(job->owner) ||
        (has_own_owner && !may_adopt(found.owner))) {
      continue;
    }
    SealRow(sealed, found, has_own_owner ? found.owner : job->owner);
  }
}

std::vector<AdoptedJob> ListJobs() {
  std::vector<AdoptedJob> all;
  ScanJobs(
      [](void* argument, const JobDefinition& job) {
        if (!job.quarantined) {
          static_cast<std::vector<AdoptedJob>*>(argument)->push_back(
              {job.job_id, job.job_name, job.owner});
        }
      },
      &all);
  return all;
}

}  // namespace

std::vector<AdoptedJob> Adopt(TimestampTz now, bool everybody, bool (*may_adopt)(Oid owner)) {
  const HomeFinding finding = CheckHome();
  const bool is_copy = finding == HomeFinding::kElsewhere || finding == HomeFinding::kCopied;
  MakeHome(now, is_copy && !everybody ? SealKey::kNew : SealKey::kKeep);
  std::vector<AdoptedJob> adopted;
  for (const FoundRow& found : FindUnsealed(kSealedJobs)) {
    if (!may_adopt(found.owner)) {
      continue;
    }
    SealRow(kSealedJobs, found, found.owner);
    const auto job = FindJob(found.job_id);
    if (job && !is_copy) {
      adopted.push_back({job->job_id, job->job_name, job->owner});
    }
  }
  SealRowsOfJobs(kSealedVersions, true, may_adopt);
  SealRowsOfJobs(kSealedRuns, true, may_adopt);
  SealRowsOfJobs(kSealedCheckpoints, false, may_adopt);
  SealRowsOfJobs(kSealedBackfills, false, may_adopt);
  SealRowsOfJobs(kSealedQueues, false, may_adopt);
  SealRowsOfJobs(kSealedTasks, false, may_adopt);
  SealOwnedRows(kSealedChannels, may_adopt);
  SealOwnedRows(kSealedAlerts, may_adopt);
  if (is_copy) {
    GiveUpDeliveries(now, "it was written where this copy was taken from");
  }
  return is_copy ? ListJobs() : adopted;
}

}  // namespace ratchet::catalog
