// ratchet.run_log: runs that ended, and occurrences that did not run. Append only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "board/board.h"
#include "catalog/run_error.h"
#include "pg/guard.h"
#include "policy/run_identity.h"

namespace ratchet::catalog {

// 0 stands for null in the times and worker_pid. What the log does not keep of a run's identity
// (walk, backfill_id) or has as a name only (who has asked for it) is not in a record that was
// read.
struct RunRecord : policy::RunIdentity {
  std::string job_name;
  policy::RunStatus status = policy::RunStatus::kSucceeded;
  TimestampTz started_at = 0;
  TimestampTz finished_at = 0;
  bool has_counters = false;  // it ran: counters are not null
  bool has_usage = true;      // nor are those of what it cost
  board::RunCounters counters{};
  std::string checkpoint_from;  // jsonb as text, empty: none
  std::string checkpoint_to;
  std::string key;  // see Checkpoint
  RunError error;
  std::string reason;
  pid_t worker_pid = 0;
  std::string payload;  // the run's own, jsonb as text; empty: none
  std::string result;
  std::int64_t occurrences = 1;
  bool quarantined = false;      // the row was not written by the library: see seal.h
  std::string messages;          // jsonb as text; empty: none. Not read again
  Oid canceled_by = InvalidOid;  // who has called ratchet.cancel(), of a canceled run. As above

  bool KnowsUsage() const { return has_counters && has_usage; }
};

// Of the run, with its own payload (empty: none); how it ended is for the caller to fill in.
RunRecord RecordOf(const policy::RunIdentity& run, std::string job_name, std::string payload);

// Writes the record in the calling transaction. Called as any role: it makes no use of privileges.
void InsertRunRecord(const RunRecord& record);
// For a run that has ended already: when another one with its number is recorded, which a restore
// or a subscription has brought here, it gets a new number.
void InsertRunRecordAnyway(RunRecord* record);

// Status and finish of an ended run; nullopt when the run has no record (yet).
struct RecordedEnd {
  std::int64_t mark;
  std::int64_t job_id;
  Oid owner;
  policy::RunStatus status;
  TimestampTz started_at;
  TimestampTz finished_at;
};
std::optional<RecordedEnd> FindRunRecord(std::int64_t run_id);
// All that the record says, for who runs or explains the run again; nullopt as above.
std::optional<RunRecord> ReadRunRecord(std::int64_t run_id);
// nullopt also when the record with this number is another run's.
std::optional<RunRecord> ReadOwnRunRecord(std::int64_t run_id, std::int64_t mark);

// The number of the job's newest run whose owner `is_shown`.
std::optional<std::int64_t> FindNewestRecord(std::int64_t job_id, bool (*is_shown)(Oid owner));

// The newest run behind `after` that the job has done for itself and that succeeded: neither a
// replay, nor one for failed items, nor a dry run.
struct Success {
  TimestampTz scheduled_at;
  TimestampTz finished_at;
};
std::optional<Success> FindNewestSuccess(std::int64_t job_id, std::int64_t after);

// So that a record can be inserted in the transaction without waiting for anybody. False when
// somebody is in the way.
bool HoldRunLog();

struct PurgeLimits {
  TimestampTz before;  // what finished earlier goes
  TimestampTz now;
  int most;
};
// Deletes the job's oldest records, with their failed items. Waits for nobody: what a session has
// in hand stays, and all that is newer.
//
// A record that seems to finish in the future is one of a clock that was ahead. It goes with a
// later one, and keeps no other one from going.
struct Purged {
  int deleted = 0;
  TimestampTz oldest = 0;  // when the oldest one left has finished, at the latest now; 0: none
  bool was_held_up = false;
};
Purged PurgeRunRecords(std::int64_t job_id, const PurgeLimits& limits);

}  // namespace ratchet::catalog
