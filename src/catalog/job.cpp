#include "catalog/job.h"

#include <algorithm>
#include <utility>

#include "catalog/find_row.h"
#include "catalog/job_columns.h"
#include "catalog/numbers.h"
#include "catalog/queue.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"

extern "C" {
#include "utils/snapmgr.h"
}

namespace ratchet::catalog {

constexpr pg::TableLayout kJobTable("job", kJobColumns.layout);

namespace {

constexpr char kPrimaryKey[] = "job_pkey";
constexpr char kNameIndex[] = "job_name_key";
constexpr char kHasParentsIndex[] = "job_has_parents_idx";

constexpr const pg::TableLayout& kTable = kJobTable;
constexpr int kJobId = kTable.Number("job_id");
constexpr int kJobName = kTable.Number("job_name");
constexpr int kOwner = kTable.Number("owner");
constexpr int kHasParents = kTable.Number("has_parents");

constexpr RowSeal kSeal(kTable, kJobColumns);

// All that follows and takes a Row is for use inside pg::Call.

void Read(const pg::Row& row, JobDefinition* job) {
  kJobColumns.Read(row, job);
  job->quarantined = !kSeal.Fits(row);
}

void Fill(const JobDefinition& job, pg::Row* row) {
  kJobColumns.Fill(job, row);
  if (!job.depends_on.empty()) {
    row->SetBool(kHasParents, true);
  }
  if (!job.quarantined) {
    kSeal.Put(row);
  }
}

}  // namespace

constinit const SealedTable kSealedJobs(kSeal);

bool IsMeantFor(const JobDefinition& job, const std::string& environment) {
  return !job.has_environments || std::find(job.environments.begin(), job.environments.end(),
                                            environment) != job.environments.end();
}

void FillJob(const JobDefinition& job, pg::Row* row) { Fill(job, row); }

void InsertJob(JobDefinition* job) {
  job->job_id = NextJobId();
  pg::Call([job] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(*job, &row);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void UpdateJob(ItemPointer tid, const JobDefinition& job) {
  pg::Call([tid, &job] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(job, &row);
    pg::UpdateRow(table, tid, row);
    if (job.is_queue) {
      AnnounceQueues();
    }
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

void DeleteJob(ItemPointer tid) {
  pg::Call([tid] {
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::DeleteRow(table, tid);
    table_close(table, NoLock);
    CommandCounterIncrement();
  });
}

std::optional<JobDefinition> FindJob(std::int64_t job_id, ItemPointer tid) {
  std::optional<JobDefinition> job(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kPrimaryKey, tid,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.Equal(kJobId, job_id); },
        [&](const pg::Row& row) { Read(row, &*job); });
  });
  return found ? std::move(job) : std::nullopt;
}

std::optional<JobDefinition> FindJobByName(const std::string& job_name, ItemPointer tid) {
  std::optional<JobDefinition> job(std::in_place);
  const bool found = pg::Call([&] {
    return FindRow(
        kTable, kNameIndex, tid,
        [&](pg::IndexScan& scan) -> pg::IndexScan& { return scan.EqualText(kJobName, job_name); },
        [&](const pg::Row& row) { Read(row, &*job); });
  });
  return found ? std::move(job) : std::nullopt;
}

Oid OwnerOfName(const std::string& job_name) {
  return pg::Call([&job_name] {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    pg::IndexScan scan(kTable, kNameIndex, AccessShareLock);
    scan.EqualText(kJobName, job_name).Begin(ForwardScanDirection, &dirty);
    pg::Row row;
    const Oid owner = scan.Next(&row) ? row.ObjectId(kOwner) : InvalidOid;
    scan.End();
    return owner;
  });
}

void FindDependents(const std::string& job_name, std::vector<JobDefinition>* jobs) {
  JobDefinition job;
  pg::Call([&] {
    pg::Row row;
    pg::IndexScan scan(kTable, kHasParentsIndex, AccessShareLock);
    scan.True(kHasParents).Begin();
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      Read(row, &job);
      if (std::find(job.depends_on.begin(), job.depends_on.end(), job_name) !=
          job.depends_on.end()) {
        jobs->push_back(job);
      }
    }
    scan.End();
  });
}

void ScanJobs(void (*visit)(void* context, const JobDefinition& job), void* context) {
  JobDefinition job;
  pg::Call([&job, visit, context] {
    // What reading one row leaves behind is small, but there may be a million of them.
    MemoryContext row_memory =
        AllocSetContextCreate(CurrentMemoryContext, "ratchet job row", ALLOCSET_DEFAULT_SIZES);
    pg::TableScan scan(kTable, AccessShareLock);
    pg::Row row;
    while (scan.Next(&row)) {
      CHECK_FOR_INTERRUPTS();
      MemoryContext outer = MemoryContextSwitchTo(row_memory);
      Read(row, &job);
      MemoryContextSwitchTo(outer);
      MemoryContextReset(row_memory);
      visit(context, job);
    }
    scan.End();
    MemoryContextDelete(row_memory);
  });
}

}  // namespace ratchet::catalog
