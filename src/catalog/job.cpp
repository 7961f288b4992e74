#include "catalog/job.h"

#include <algorithm>
#include <utility>

#include "catalog/numbers.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/oid_array.h"
#include "pg/row_change.h"
#include "pg/span.h"
#include "pg/text_array.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/snapmgr.h"
}

namespace ratchet::catalog {
namespace {

constexpr const pg::TableLayout& kTable = kJobTable;
constexpr char kPrimaryKey[] = "job_pkey";
constexpr char kNameIndex[] = "job_name_key";
constexpr char kHasParentsIndex[] = "job_has_parents_idx";

enum Column {
  kJobId = 1,
  kJobName,
  kOwner,
  kVersion,
  kEnabled,
  kSchedule,
  kTimeZone,
  kScheduleSince,
  kCommand,
  kTransaction,
  kOverlap,
  kTimeout,
  kMaxAttempts,
  kBackoff,
  kBackoffFactor,
  kBackoffCap,
  kBackoffJitter,
  kOnCrash,
  kMisfire,
  kMisfireLimit,
  kStartAt,
  kEndAt,
  kMaxRuns,
  kMutex,
  kActiveWindow,
  kCalendar,
  kOnlyIf,
  kWatch,
  kDependsOn,
  kEnvironments,
  kPriority,
  kSettings,
  kPayload,
  kKeepHistory,
  kComment,
  kTags,
  kCreatedAt,
  kChangedAt,
  kBackfillFrom,
  kSource,  // and the other columns of a batch job
  kHasParents = kSource + kBatchColumns,
  kIsQueue,
  kSealColumn,
};

// What runs, and as whom.
constexpr RowSeal kSeal(kTable, kSealColumn,
                        {kJobId, kOwner, kVersion, kCommand, kTransaction, kOnlyIf, kSettings,
                         kPayload, kCreatedAt, kSource, kSource + 1, kSource + 2, kSource + 3,
                         kSource + 6, kHasParents - 1, kIsQueue});

// All that follows and takes a Row is for use inside pg::Call.

void SetSpan(pg::Row* row, int column, std::int64_t span) {
  row->Set(column, IntervalPGetDatum(pg::IntervalOf(span)));
}

void ReadRules(const pg::Row& row, JobDefinition* job) {
  Parse(row.Text(kTransaction), &job->transaction);
  Parse(row.Text(kOverlap), &job->overlap);
  Parse(row.Text(kOnCrash), &job->on_crash);
  Parse(row.Text(kMisfire), &job->misfire);
  job->timeout = row.SpanOr(kTimeout, 0);
  job->max_attempts = row.Int32(kMaxAttempts);
  job->backoff = row.SpanOr(kBackoff, JobDefinition().backoff);
  job->backoff_factor = row.Float8(kBackoffFactor);
  job->backoff_cap = row.SpanOr(kBackoffCap, JobDefinition().backoff_cap);
  job->backoff_jitter = row.Float8(kBackoffJitter);
  job->misfire_limit = row.Int32(kMisfireLimit);
  job->start_at = row.TimeOrZero(kStartAt);
  job->end_at = row.TimeOrZero(kEndAt);
  job->max_runs = row.IsNull(kMaxRuns) ? 0 : row.Int32(kMaxRuns);
  job->priority = row.Int32(kPriority);
  job->keep_history = row.SpanOr(kKeepHistory, -1);
}

void ReadConditions(const pg::Row& row, JobDefinition* job) {
  job->mutex = row.Text(kMutex);
  job->active_window = row.Text(kActiveWindow);
  job->calendar = row.Text(kCalendar);
  job->only_if = row.Text(kOnlyIf);
  job->watch.clear();
  if (!row.IsNull(kWatch)) {
    pg::AppendOidArray(row.values[kWatch - 1], &job->watch);
  }
  job->depends_on.clear();
  if (!row.IsNull(kDependsOn)) {
    pg::AppendTextArray(row.values[kDependsOn - 1], &job->depends_on);
  }
}

void Read(const pg::Row& row, JobDefinition* job) {
  job->job_id = row.Int64(kJobId);
  job->job_name = row.Text(kJobName);
  job->owner = row.ObjectId(kOwner);
  job->version = row.Int32(kVersion);
  job->enabled = row.Bool(kEnabled);
  job->schedule = row.Text(kSchedule);
  job->time_zone = row.Text(kTimeZone);
  job->schedule_since = row.Time(kScheduleSince);
  job->command = row.Text(kCommand);
  ReadRules(row, job);
  ReadConditions(row, job);
  job->any_environment = row.IsNull(kEnvironments);
  job->environments.clear();
  if (!job->any_environment) {
    pg::AppendTextArray(row.values[kEnvironments - 1], &job->environments);
  }
  job->settings = row.JsonbText(kSettings);
  job->payload = row.JsonbText(kPayload);
  job->has_comment = !row.IsNull(kComment);
  job->comment = row.Text(kComment);
  job->has_tags = !row.IsNull(kTags);
  job->tags.clear();
  if (job->has_tags) {
    pg::AppendTextArray(row.values[kTags - 1], &job->tags);
  }
  job->created_at = row.Time(kCreatedAt);
  job->changed_at = row.Time(kChangedAt);
  job->backfill_from = row.TimeOrZero(kBackfillFrom);
  ReadBatch(row, kSource, job);
  job->is_queue = !row.IsNull(kIsQueue) && row.Bool(kIsQueue);
  job->quarantined = !kSeal.Fits(row);
}

void FillRules(const JobDefinition& job, pg::Row* row) {
  row->SetText(kTransaction, Name(job.transaction));
  row->SetText(kOverlap, Name(job.overlap));
  row->SetText(kOnCrash, Name(job.on_crash));
  row->SetText(kMisfire, Name(job.misfire));
  if (job.timeout != 0) {
    SetSpan(row, kTimeout, job.timeout);
  }
  row->SetInt32(kMaxAttempts, job.max_attempts);
  SetSpan(row, kBackoff, job.backoff);
  row->SetFloat8(kBackoffFactor, job.backoff_factor);
  SetSpan(row, kBackoffCap, job.backoff_cap);
  row->SetFloat8(kBackoffJitter, job.backoff_jitter);
  row->SetInt32(kMisfireLimit, job.misfire_limit);
  row->SetTimeOrNull(kStartAt, job.start_at);
  row->SetTimeOrNull(kEndAt, job.end_at);
  if (job.max_runs != 0) {
    row->SetInt32(kMaxRuns, job.max_runs);
  }
  row->SetInt32(kPriority, job.priority);
  if (job.keep_history >= 0) {
    SetSpan(row, kKeepHistory, job.keep_history);
  }
}

void FillConditions(const JobDefinition& job, pg::Row* row) {
  for (const auto& [column, text] :
       {std::pair(kMutex, &job.mutex), std::pair(kActiveWindow, &job.active_window),
        std::pair(kCalendar, &job.calendar), std::pair(kOnlyIf, &job.only_if)}) {
    if (!text->empty()) {
      row->SetText(column, *text);
    }
  }
  if (!job.watch.empty()) {
    row->Set(kWatch, pg::OidArrayOf(job.watch, REGCLASSOID));
  }
  if (!job.depends_on.empty()) {
    row->Set(kDependsOn, pg::TextArrayOf(job.depends_on));
    row->SetBool(kHasParents, true);
  }
}

void Fill(const JobDefinition& job, pg::Row* row) {
  row->SetInt64(kJobId, job.job_id);
  row->SetText(kJobName, job.job_name);
  row->SetOid(kOwner, job.owner);
  row->SetInt32(kVersion, job.version);
  row->SetBool(kEnabled, job.enabled);
  row->SetText(kSchedule, job.schedule);
  row->SetText(kTimeZone, job.time_zone);
  row->SetTime(kScheduleSince, job.schedule_since);
  if (!job.is_batch() && !job.is_queue) {
    row->SetText(kCommand, job.command);
  }
  FillRules(job, row);
  FillConditions(job, row);
  if (!job.any_environment) {
    row->Set(kEnvironments, pg::TextArrayOf(job.environments));
  }
  row->SetJsonb(kSettings, job.settings);
  row->SetJsonb(kPayload, job.payload);
  if (job.has_comment) {
    row->SetText(kComment, job.comment);
  }
  if (job.has_tags) {
    row->Set(kTags, pg::TextArrayOf(job.tags));
  }
  row->SetTime(kCreatedAt, job.created_at);
  row->SetTime(kChangedAt, job.changed_at);
  row->SetTimeOrNull(kBackfillFrom, job.backfill_from);
  FillBatch(job, kSource, row);
  if (job.is_queue) {
    row->SetBool(kIsQueue, true);
  }
  if (!job.quarantined) {
    kSeal.Put(row);
  }
}

enum class Found { kNo, kYes, kLookAgain };

// The scan's first row. With a place to tell where it is, it is held for a change: if somebody has
// changed it since the scan saw it, it may not be what was looked for any more.
Found ReadFirst(pg::IndexScan* scan, ItemPointer tid, JobDefinition* job) {
  pg::Row row;
  scan->Begin();
  Found found = scan->Next(&row, tid) ? Found::kYes : Found::kNo;
  if (found == Found::kYes && tid != nullptr) {
    ItemPointerData seen = *tid;
    if (pg::HoldRow(scan->table(), tid, pg::IfBusy::kWait, &row) != pg::RowHold::kHeld ||
        !ItemPointerEquals(&seen, tid)) {
      found = Found::kLookAgain;
    }
  }
  if (found == Found::kYes) {
    Read(row, job);
  }
  scan->End();
  return found;
}

LOCKMODE LockFor(ItemPointer tid) { return tid != nullptr ? RowExclusiveLock : AccessShareLock; }

}  // namespace

constinit const SealedTable kSealedJobs{&kSeal, kJobId, kOwner};

bool IsMeantFor(const JobDefinition& job, const std::string& environment) {
  return job.any_environment || std::find(job.environments.begin(), job.environments.end(),
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
  const bool found = pg::Call([&job, job_id, tid] {
    Found found = Found::kLookAgain;
    while (found == Found::kLookAgain) {
      pg::IndexScan scan(kTable, kPrimaryKey, LockFor(tid));
      found = ReadFirst(&scan.Equal(kJobId, job_id), tid, &*job);
    }
    return found == Found::kYes;
  });
  return found ? std::move(job) : std::nullopt;
}

std::optional<JobDefinition> FindJobByName(const std::string& job_name, ItemPointer tid) {
  std::optional<JobDefinition> job(std::in_place);
  const bool found = pg::Call([&job, &job_name, tid] {
    Found found = Found::kLookAgain;
    while (found == Found::kLookAgain) {
      pg::IndexScan scan(kTable, kNameIndex, LockFor(tid));
      found = ReadFirst(&scan.EqualText(kJobName, job_name), tid, &*job);
    }
    return found == Found::kYes;
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
