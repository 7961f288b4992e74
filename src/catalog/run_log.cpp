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

// What a run has used, in hours: days are for people.
struct CpuTime {
  static constexpr Oid kType = INTERVALOID;
  static bool Read(const pg::Row& row, int column, std::int64_t* value) {
    *value = DatumGetIntervalP(row.values[column - 1])->time;
    return true;
  }
  static void Set(pg::Row* row, int column, std::int64_t value) {
    auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
    interval->time = value;
    row->Set(column, IntervalPGetDatum(interval));
  }
};

// Sealed is what a replay takes from a record.
using Record = RunRecord;
using Counters = board::RunCounters;
// clang-format off
constexpr auto kColumns = Declare<Record>(
    Column<Int8, &Record::run_id>("run_id").Sealed(),
    Column<Int8, &Record::job_id>("job_id").Sealed(),
    Column<Text, &Record::job_name>("job_name"),
    Column<RoleNumber, &Record::owner>("owner").Sealed(),
    Column<Int4, &Record::version>("version").Sealed(),
    Column<Word<policy::CauseOf>, &Record::cause>("cause"),
    Column<Word<policy::RunStatusOf>, &Record::status>("status").Sealed(),
    Column<Int4, &Record::attempt>("attempt"),
    Column<Time, &Record::scheduled_at>("scheduled_at").Sealed(),
    Column<Time, &Record::queued_at>("queued_at"),
    Nullable<Time, &Record::started_at>("started_at").Sealed(),
    Column<Time, &Record::finished_at>("finished_at"),
    Where<&Record::has_counters, Int8, &Record::counters, &Counters::items_done>("items_done"),
    Where<&Record::has_counters, Int8, &Record::counters, &Counters::items_failed>("items_failed"),
    Where<&Record::has_counters, Int8, &Record::counters, &Counters::batches>("batches"),
    Nullable<Json, &Record::checkpoint_from>("checkpoint_from").Sealed(),
    Nullable<Json, &Record::checkpoint_to>("checkpoint_to").Sealed(),
    Where<&Record::has_counters, Int8, &Record::counters, &Counters::rows_affected>("rows_affected"),
    Nullable<Sqlstate, &Record::error, &RunError::sqlstate>("sqlstate"),
    Nullable<Text, &Record::error, &RunError::message>("error"),
    Nullable<Text, &Record::error, &RunError::detail>("error_detail"),
    Nullable<Text, &Record::error, &RunError::hint>("error_hint"),
    Nullable<Text, &Record::error, &RunError::context>("error_context"),
    Nullable<Text, &Record::reason>("reason"),
    Nullable<Int4, &Record::worker_pid>("worker_pid"),
    Other<Text>("node"),
    Nullable<Json, &Record::payload>("payload").Sealed(),
    Nullable<Int8, &Record::replay_of>("replay_of").Sealed(),
    Nullable<Int8, &Record::retry_of>("retry_of"),
    Column<Bool, &Record::dry_run>("dry_run").Sealed(),
    Where<&Record::KnowsUsage, Int8, &Record::counters, &Counters::wal_bytes>("wal_bytes"),
    Where<&Record::KnowsUsage, Int8, &Record::counters, &Counters::blocks_read>("blocks_read"),
    Where<&Record::KnowsUsage, Int8, &Record::counters, &Counters::blocks_hit>("blocks_hit"),
    Where<&Record::KnowsUsage, CpuTime, &Record::counters, &Counters::cpu_time>("cpu_time"),
    Nullable<Text, &Record::result>("result"),
    Column<Int8, &Record::occurrences>("occurrences"),
    Nullable<Time, &Record::previous_scheduled_at>("previous_scheduled_at").Sealed(),
    Nullable<Int8, &Record::items_of>("items_of").Sealed(),
    Nullable<Text, &Record::key>("key").Sealed(),
    Column<Int8, &Record::mark>("mark").Sealed(),
    Other<Int8>("seal"),
    Nullable<Json, &Record::messages>("messages").NotRead(),
    Nullable<NameOfRole, &Record::requested_by>("requested_by").NotRead(),
    Nullable<NameOfRole, &Record::canceled_by>("canceled_by").NotRead());
// clang-format on

}  // namespace

constexpr pg::TableLayout kRunLogTable("run_log", kColumns.layout);

namespace {

constexpr const pg::TableLayout& kTable = kRunLogTable;
constexpr int kRunId = kTable.Number("run_id");
constexpr int kJobId = kTable.Number("job_id");
constexpr int kOwner = kTable.Number("owner");
constexpr int kStatus = kTable.Number("status");
constexpr int kScheduledAt = kTable.Number("scheduled_at");
constexpr int kStartedAt = kTable.Number("started_at");
constexpr int kFinishedAt = kTable.Number("finished_at");
constexpr int kItemsFailed = kTable.Number("items_failed");
constexpr int kNode = kTable.Number("node");
constexpr int kReplayOf = kTable.Number("replay_of");
constexpr int kDryRun = kTable.Number("dry_run");
constexpr int kItemsOf = kTable.Number("items_of");
constexpr int kMark = kTable.Number("mark");

constexpr RowSeal kSeal(kTable, kColumns);

// For use inside pg::Call.

void Read(const pg::Row& row, RunRecord* record) {
  kColumns.Read(row, record);
  record->has_payload = !record->payload.empty();
  record->quarantined = !kSeal.Fits(row);
}

void Fill(const RunRecord& record, pg::Row* row) {
  kColumns.Fill(record, row);
  row->SetText(kNode, pg::NodeName());
  kSeal.Put(row);
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
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
    pg::Row row;
    Fill(record, &row);
    pg::InsertRow(table, row);
    table_close(table, NoLock);
  });
}

}  // namespace

constinit const SealedTable kSealedRecords(kSeal);

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
  return pg::Call([] { return pg::TryLockTable(kTable.name, RowExclusiveLock); });
}

std::optional<RecordedEnd> FindRunRecord(std::int64_t run_id) {
  RecordedEnd end{};
  const bool found = pg::Call([&] {
    pg::IndexScan scan(kTable, "run_log_pkey", AccessShareLock);
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
    pg::IndexScan scan(kTable, "run_log_pkey", AccessShareLock);
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

std::optional<std::int64_t> FindNewestRecord(std::int64_t job_id, bool (*is_shown)(Oid owner)) {
  std::int64_t newest = 0;
  const bool found = pg::Call([&newest, job_id, is_shown] {
    pg::IndexScan scan(kTable, "run_log_job_idx", AccessShareLock);
    scan.Equal(kJobId, job_id).Begin(BackwardScanDirection);
    pg::Row row;
    bool is_there = false;
    while (!is_there && scan.Next(&row)) {
      newest = row.Int64(kRunId);
      is_there = is_shown(row.ObjectId(kOwner));
    }
    scan.End();
    return is_there;
  });
  return found ? std::optional(newest) : std::nullopt;
}

std::optional<Success> FindNewestSuccess(std::int64_t job_id, std::int64_t after) {
  Success success{};
  const bool found = pg::Call([&success, job_id, after] {
    pg::IndexScan scan(kTable, "run_log_job_idx", AccessShareLock);
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
    pg::IndexScan scan(kTable, "run_log_job_idx", RowExclusiveLock);
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
    Relation table = pg::OpenTable(kTable, RowExclusiveLock);
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
