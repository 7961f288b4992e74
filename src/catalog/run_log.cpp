#include "catalog/run_log.h"

#include <string_view>
#include <utility>
#include <vector>

#include "catalog/failed_item.h"
#include "catalog/numbers.h"
#include "catalog/seal.h"
#include "catalog/table_layouts.h"
#include "pg/row_change.h"
#include "pg/settings.h"

extern "C" {
#include "access/tableam.h"
}

namespace ratchet::catalog {
namespace {

// Columns of ratchet.run_log.
enum Column {
  kRunId = 1,
  kJobId,
  kJobName,
  kOwner,
  kVersion,
  kCause,
  kStatus,
  kAttempt,
  kScheduledAt,
  kQueuedAt,
  kStartedAt,
  kFinishedAt,
  kItemsDone,
  kItemsFailed,
  kBatches,
  kCheckpointFrom,
  kCheckpointTo,
  kRowsAffected,
  kSqlstate,
  kError,
  kErrorDetail,
  kErrorHint,
  kErrorContext,
  kReason,
  kWorkerPid,
  kNode,
  kPayload,
  kReplayOf,
  kRetryOf,
  kDryRun,
  kWalBytes,
  kBlocksRead,
  kBlocksHit,
  kCpuTime,
  kResult,
  kOccurrences,
  kPreviousScheduledAt,
  kItemsOf,
  kKey,
  kMark,
  kSealColumn,
  kMessages,
};

// What a replay takes from a record.
constexpr RowSeal kSeal(kRunLogTable, kSealColumn,
                        {kRunId, kJobId, kOwner, kVersion, kStatus, kScheduledAt, kStartedAt,
                         kCheckpointFrom, kCheckpointTo, kPayload, kReplayOf, kDryRun,
                         kPreviousScheduledAt, kItemsOf, kKey, kMark});

// For use inside pg::Call.
void SetTextOrNull(pg::Row& row, int column, const std::string& text) {
  if (!text.empty()) {
    row.SetText(column, text);
  }
}

void SetPositive(pg::Row& row, int column, std::int64_t value) {
  if (value > 0) {
    row.SetInt64(column, value);
  }
}

void SetCounters(pg::Row& row, const board::RunCounters& counters) {
  row.SetInt64(kItemsDone, counters.items_done);
  row.SetInt64(kItemsFailed, counters.items_failed);
  row.SetInt64(kBatches, counters.batches);
  row.SetInt64(kRowsAffected, counters.rows_affected);
}

void SetUsage(pg::Row& row, const board::RunCounters& counters) {
  row.SetInt64(kWalBytes, counters.wal_bytes);
  row.SetInt64(kBlocksRead, counters.blocks_read);
  row.SetInt64(kBlocksHit, counters.blocks_hit);
  auto* cpu_time = static_cast<Interval*>(palloc0(sizeof(Interval)));
  cpu_time->time = counters.cpu_time;
  row.Set(kCpuTime, IntervalPGetDatum(cpu_time));
}

void SetError(pg::Row& row, const RunError& error) {
  if (error.sqlstate == 0) {
    return;
  }
  row.SetText(kSqlstate, unpack_sql_state(error.sqlstate));
  SetTextOrNull(row, kError, error.message);
  SetTextOrNull(row, kErrorDetail, error.detail);
  SetTextOrNull(row, kErrorHint, error.hint);
  SetTextOrNull(row, kErrorContext, error.context);
}

void SetRecord(pg::Row& row, const RunRecord& record) {
  const std::string_view cause = policy::Name(record.cause);
  const std::string_view status = policy::Name(record.status);
  row.SetInt64(kRunId, record.run_id);
  row.SetInt64(kJobId, record.job_id);
  row.SetText(kJobName, record.job_name);
  row.SetOid(kOwner, record.owner);
  row.SetInt32(kVersion, record.version);
  row.SetText(kCause, cause);
  row.SetText(kStatus, status);
  row.SetInt32(kAttempt, record.attempt);
  row.SetTime(kScheduledAt, record.scheduled_at);
  row.SetTime(kQueuedAt, record.queued_at);
  row.SetTimeOrNull(kStartedAt, record.started_at);
  row.SetTime(kFinishedAt, record.finished_at);
  if (record.has_counters) {
    SetCounters(row, record.counters);
    if (record.has_usage) {
      SetUsage(row, record.counters);
    }
  }
  SetError(row, record.error);
  row.SetJsonb(kCheckpointFrom, record.checkpoint_from);
  row.SetJsonb(kCheckpointTo, record.checkpoint_to);
  SetTextOrNull(row, kReason, record.reason);
  if (record.worker_pid != 0) {
    row.SetInt32(kWorkerPid, record.worker_pid);
  }
  row.SetText(kNode, pg::NodeName());
  row.SetJsonb(kPayload, record.payload);
  SetPositive(row, kReplayOf, record.replay_of);
  SetPositive(row, kRetryOf, record.retry_of);
  row.SetBool(kDryRun, record.dry_run);
  SetTextOrNull(row, kResult, record.result);
  row.SetInt64(kOccurrences, record.occurrences);
  row.SetTimeOrNull(kPreviousScheduledAt, record.previous_scheduled_at);
  SetPositive(row, kItemsOf, record.items_of);
  SetTextOrNull(row, kKey, record.key);
  row.SetInt64(kMark, record.mark);
  row.SetJsonb(kMessages, record.messages);
  kSeal.Put(&row);
}

board::RunCounters CountersIn(const pg::Row& row) {
  board::RunCounters counters{};
  counters.items_done = row.Int64Or(kItemsDone, 0);
  counters.items_failed = row.Int64Or(kItemsFailed, 0);
  counters.batches = row.Int64Or(kBatches, 0);
  counters.rows_affected = row.Int64Or(kRowsAffected, 0);
  counters.wal_bytes = row.Int64Or(kWalBytes, 0);
  counters.blocks_read = row.Int64Or(kBlocksRead, 0);
  counters.blocks_hit = row.Int64Or(kBlocksHit, 0);
  if (!row.IsNull(kCpuTime)) {
    counters.cpu_time = DatumGetIntervalP(row.values[kCpuTime - 1])->time;
  }
  return counters;
}

void ReadError(const pg::Row& row, RunError* error) {
  if (row.IsNull(kSqlstate)) {
    return;
  }
  const std::string_view code = row.Text(kSqlstate);
  error->sqlstate =
      code.size() == 5 ? MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]) : 0;
  error->message = row.Text(kError);
  error->detail = row.Text(kErrorDetail);
  error->hint = row.Text(kErrorHint);
  error->context = row.Text(kErrorContext);
}

void Read(const pg::Row& row, RunRecord* record) {
  record->run_id = row.Int64(kRunId);
  record->job_id = row.Int64(kJobId);
  record->job_name = row.Text(kJobName);
  record->owner = row.ObjectId(kOwner);
  record->version = row.Int32(kVersion);
  record->cause = policy::CauseOf(row.Text(kCause));
  record->status = policy::RunStatusOf(row.Text(kStatus));
  record->attempt = row.Int32(kAttempt);
  record->scheduled_at = row.Time(kScheduledAt);
  record->previous_scheduled_at = row.TimeOrZero(kPreviousScheduledAt);
  record->queued_at = row.Time(kQueuedAt);
  record->started_at = row.TimeOrZero(kStartedAt);
  record->finished_at = row.Time(kFinishedAt);
  record->has_counters = !row.IsNull(kItemsDone);
  record->counters = CountersIn(row);
  record->checkpoint_from = row.JsonbText(kCheckpointFrom);
  record->checkpoint_to = row.JsonbText(kCheckpointTo);
  record->key = row.Text(kKey);
  ReadError(row, &record->error);
  record->reason = row.Text(kReason);
  record->worker_pid = row.IsNull(kWorkerPid) ? 0 : row.Int32(kWorkerPid);
  record->payload = row.JsonbText(kPayload);
  record->has_payload = !record->payload.empty();
  record->replay_of = row.Int64Or(kReplayOf, 0);
  record->retry_of = row.Int64Or(kRetryOf, 0);
  record->items_of = row.Int64Or(kItemsOf, 0);
  record->dry_run = row.Bool(kDryRun);
  record->result = row.Text(kResult);
  record->occurrences = row.Int64(kOccurrences);
  record->quarantined = !kSeal.Fits(row);
  record->mark = row.Int64(kMark);
}

bool TextsAreStorable(const RunRecord& record) {
  return IsStorable(record.error.message, kMaxErrorText) &&
         IsStorable(record.error.detail, kMaxErrorText) &&
         IsStorable(record.error.hint, kMaxErrorText) &&
         IsStorable(record.error.context, kMaxErrorText) &&
         IsStorable(record.reason, kMaxErrorText) && IsStorable(record.result, kMaxResultText);
}

void Insert(const RunRecord& record) {
  pg::Call([&record] {
    Relation table = pg::OpenTable(kRunLogTable, RowExclusiveLock);
    pg::Row row;
    SetRecord(row, record);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
  });
}

}  // namespace

constinit const SealedTable kSealedRecords{&kSeal, kJobId, kOwner};

RunRecord RecordOf(const policy::RunIdentity& run, std::string job_name, std::string payload) {
  RunRecord record;
  record.identity() = run;
  record.job_name = std::move(job_name);
  record.payload = std::move(payload);
  return record;
}

void InsertRunRecord(const RunRecord& record) {
  if (TextsAreStorable(record)) {
    Insert(record);
    return;
  }
  RunRecord fit = record;
  for (std::string* text :
       {&fit.error.message, &fit.error.detail, &fit.error.hint, &fit.error.context, &fit.reason}) {
    *text = Storable(*text, kMaxErrorText);
  }
  fit.result = Storable(fit.result, kMaxResultText);
  Insert(fit);
}

void InsertRunRecordAnyway(RunRecord* record) {
  if (FindRunRecord(record->run_id)) {
    record->reason +=
        (record->reason.empty() ? "" : "; ") + ("its number was " + std::to_string(record->run_id) +
                                                ", under which another run is recorded");
    record->run_id = NextRunId();
  }
  InsertRunRecord(*record);
}

bool HoldRunLog() {
  return pg::Call([] { return pg::TryLockTable(kRunLogTable.name, RowExclusiveLock); });
}

std::optional<RecordedEnd> FindRunRecord(std::int64_t run_id) {
  RecordedEnd end{};
  const bool found = pg::Call([&] {
    pg::IndexScan scan(kRunLogTable, "run_log_pkey", AccessShareLock);
    scan.Equal(kRunId, run_id).Begin();
    pg::Row row;
    const bool is_there = scan.Next(&row);
    if (is_there) {
      end = {row.Int64(kMark),           row.Int64(kJobId),
             row.ObjectId(kOwner),       policy::RunStatusOf(row.Text(kStatus)),
             row.TimeOrZero(kStartedAt), row.Time(kFinishedAt)};
    }
    scan.End();
    return is_there;
  });
  return found ? std::optional(end) : std::nullopt;
}

std::optional<RunRecord> ReadRunRecord(std::int64_t run_id) {
  std::optional<RunRecord> record(std::in_place);
  const bool found = pg::Call([&record, run_id] {
    pg::IndexScan scan(kRunLogTable, "run_log_pkey", AccessShareLock);
    scan.Equal(kRunId, run_id).Begin();
    pg::Row row;
    const bool is_there = scan.Next(&row);
    if (is_there) {
      Read(row, &*record);
    }
    scan.End();
    return is_there;
  });
  return found ? std::move(record) : std::nullopt;
}

std::optional<RunRecord> ReadOwnRunRecord(std::int64_t run_id, std::int64_t mark) {
  std::optional<RunRecord> record = ReadRunRecord(run_id);
  return record && record->mark == mark ? std::move(record) : std::nullopt;
}

std::optional<Success> FindNewestSuccess(std::int64_t job_id, std::int64_t after) {
  Success success{};
  const bool found = pg::Call([&success, job_id, after] {
    pg::IndexScan scan(kRunLogTable, "run_log_job_idx", AccessShareLock);
    scan.Equal(kJobId, job_id).Behind(kRunId, after).Begin(BackwardScanDirection);
    pg::Row row;
    bool is_there = false;
    while (!is_there && scan.Next(&row)) {
      is_there = policy::RunStatusOf(row.Text(kStatus)) == policy::RunStatus::kSucceeded &&
                 row.IsNull(kReplayOf) && row.IsNull(kItemsOf) && !row.Bool(kDryRun);
      if (is_there) {
        success = {row.Time(kScheduledAt), row.Time(kFinishedAt)};
      }
    }
    scan.End();
    return is_there;
  });
  return found ? std::optional(success) : std::nullopt;
}

namespace {

struct OldRecord {
  std::int64_t run_id;
  TimestampTz finished_at;
  bool has_items;
  ItemPointerData tid;
};

// Oldest ids first. A long run that holds a small id keeps the later ones for as long as itself;
// records of the future are those that go if an old one follows. Returns when the first one that
// stays has ended, at the latest now; 0: none stays.
TimestampTz FindOldRecords(std::int64_t job_id, const PurgeLimits& limits,
                           std::vector<OldRecord>* records) {
  const auto most = static_cast<std::size_t>(limits.most);
  records->reserve(most);
  std::size_t certain = 0;
  const TimestampTz oldest = pg::Call([&, job_id] {
    TimestampTz first_left = 0;
    pg::IndexScan scan(kRunLogTable, "run_log_job_idx", RowExclusiveLock);
    scan.Equal(kJobId, job_id).Begin();
    pg::Row row;
    ItemPointerData tid;
    while (first_left == 0 && certain < most && scan.Next(&row, &tid)) {
      const TimestampTz finished_at = row.Time(kFinishedAt);
      const bool is_of_future = finished_at > limits.now;
      if (!is_of_future && finished_at >= limits.before) {
        first_left = finished_at;
        continue;
      }
      if (records->size() < most) {
        records->push_back({row.Int64(kRunId), finished_at, row.Int64Or(kItemsFailed, 0) > 0, tid});
      }
      certain = is_of_future ? certain : records->size();
    }
    scan.End();
    return first_left;
  });
  const bool any_left = certain == most || certain < records->size();
  records->resize(certain);
  return oldest == 0 && any_left ? limits.now : oldest;
}

// False when another transaction has it in hand.
bool DeleteRecord(OldRecord* record) {
  return pg::Call([record] {
    Relation table = pg::OpenTable(kRunLogTable, RowExclusiveLock);
    const pg::RowHold deleted = pg::DeleteRow(table, &record->tid, pg::IfBusy::kGiveUp);
    table_close(table, NoLock);
    return deleted != pg::RowHold::kBusy;
  });
}

}  // namespace

Purged PurgeRunRecords(std::int64_t job_id, const PurgeLimits& limits) {
  std::vector<OldRecord> records;
  Purged purged;
  purged.oldest = FindOldRecords(job_id, limits, &records);
  for (OldRecord& record : records) {
    if ((record.has_items && !DeleteFailedItems(record.run_id)) || !DeleteRecord(&record)) {
      purged.oldest = std::min(record.finished_at, limits.now);
      purged.was_held_up = true;
      break;
    }
    purged.deleted++;
  }
  return purged;
}

}  // namespace ratchet::catalog
