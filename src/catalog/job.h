// ratchet.job: what a job is. See sql/install/10_tables.sql for the columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/server.h"
#include "policy/job_plan.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::pg {
struct Row;
}

namespace ratchet::catalog {

using policy::Overlap;
enum class OnCrash : std::uint8_t { kResume, kNext };
using Misfire = policy::MisfirePolicy;
enum class TransactionMode : std::uint8_t { kSingle, kPerStatement };
enum class Per : std::uint8_t { kItem, kBatch };
enum class BatchMode : std::uint8_t { kFull, kIncremental };

// What a batch job does. Spans are microseconds.
struct BatchDefinition {
  std::string source;            // a query; empty: not a batch job
  std::string action;            // of a queue: its handler; empty: it has none
  std::vector<std::string> key;  // columns of the source; empty: its first one
  Per per = Per::kItem;
  std::int32_t batch_size = 500;  // items
  std::int64_t batch_target = 0;  // 0: always batch_size items
  BatchMode mode = BatchMode::kFull;
  std::int64_t max_run_time = 0;          // 0: no limit
  std::int32_t max_failed_items = -1;     // -1: no limit
  double pause_ratio = -1;                // -1: as set by ratchet.pause_ratio
  std::int64_t max_replication_lag = -1;  // -1: as set by ratchet.max_replication_lag, 0: no limit

  std::string columns;  // of the source as it was then: see batch/pinned_columns.h

  // The hidden job of a queue: see catalog/queue.h. Its items are tasks, and it has no source.
  bool is_queue = false;

  bool is_batch() const { return !source.empty(); }
  bool has_items() const { return is_batch() || is_queue; }
  friend bool operator==(const BatchDefinition&, const BatchDefinition&) = default;
};

// What each run does, which it pins: another value makes another version of the job, and
// ratchet.job_version keeps both. Times are PostgreSQL's, spans are microseconds where the calendar
// does not matter.
struct PinnedDefinition : BatchDefinition {
  std::string job_name;
  Oid owner = InvalidOid;
  std::string schedule;
  std::string time_zone;
  std::string command;  // empty for a batch job and a queue
  TransactionMode transaction = TransactionMode::kSingle;
  std::int64_t timeout = 0;  // 0: none
  std::string only_if;       // a query; empty: none
  std::string settings;      // jsonb as text, empty: none
  std::string payload;       // jsonb as text, empty: none

  PinnedDefinition& pinned() { return *this; }
  const PinnedDefinition& pinned() const { return *this; }
  friend bool operator==(const PinnedDefinition&, const PinnedDefinition&) = default;
};

// A definition with every option. 0 stands for "none" in start_at, end_at, max_runs,
// backfill_from, and -1 in keep_history.
struct JobDefinition : PinnedDefinition {
  std::int64_t job_id = 0;
  std::int32_t version = 1;
  bool enabled = true;
  TimestampTz schedule_since = 0;
  Overlap overlap = Overlap::kSkip;
  std::int32_t max_attempts = 1;
  std::int64_t backoff = 60LL * 1000000;
  double backoff_factor = 2;
  std::int64_t backoff_cap = 3600LL * 1000000;
  double backoff_jitter = 0;
  OnCrash on_crash = OnCrash::kResume;
  Misfire misfire = Misfire::kOnce;
  std::int32_t misfire_limit = 100;
  TimestampTz start_at = 0;
  TimestampTz end_at = 0;
  std::int32_t max_runs = 0;
  std::string mutex;                    // empty: none, as in the texts that follow
  std::string active_window;            // as calendar::Window reads it
  std::string calendar;                 // in ratchet.calendar_days
  std::vector<Oid> watch;               // tables
  std::vector<std::string> depends_on;  // jobs
  bool has_environments = false;        // else it may run in any
  std::vector<std::string> environments;
  std::int32_t priority = 0;
  std::int64_t keep_history = -1;
  std::int64_t deadline = 0;  // after its logical time a run must have ended; 0: none
  std::string heartbeat;      // channel that hears of each run
  std::string comment;
  bool has_comment = false;
  bool has_tags = false;
  std::vector<std::string> tags;
  TimestampTz created_at = 0;
  TimestampTz changed_at = 0;
  TimestampTz backfill_from = 0;
  bool quarantined = false;  // the row was not written by the library: see seal.h

  friend bool operator==(const JobDefinition&, const JobDefinition&) = default;
};

// The row is written in the calling transaction; name clashes raise 23505. All of them throw
// PgError. Fills in job_id.
void InsertJob(JobDefinition* job);
void UpdateJob(ItemPointer tid, const JobDefinition& job);
void DeleteJob(ItemPointer tid);

// The row of ratchet.job as it would be written. For use inside pg::Call.
void FillJob(const JobDefinition& job, pg::Row* row);

// Whether the job may run on a server of that environment.
bool IsMeantFor(const JobDefinition& job, const std::string& environment);

// nullopt when there is no such job. The newest version of the row is read, and never somebody
// else's uncommitted one. Who is going to change it gives a place for its `tid`: then the row is
// locked until the transaction ends.
std::optional<JobDefinition> FindJob(std::int64_t job_id, ItemPointer tid = nullptr);
std::optional<JobDefinition> FindJobByName(const std::string& job_name, ItemPointer tid = nullptr);

// All jobs as of now, in no order. `visit` must not raise an error, but may throw.
void ScanJobs(void (*visit)(void* context, const JobDefinition& job), void* context);

// The jobs whose depends_on names this one, in no order: at the cost of those that depend on any.
void FindDependents(const std::string& job_name, std::vector<JobDefinition>* jobs);

// The words of a choice in SQL, in its order; the argument only says which choice is meant.
std::span<const char* const> Words(TransactionMode);
std::span<const char* const> Words(Overlap);
std::span<const char* const> Words(OnCrash);
std::span<const char* const> Words(Misfire);
std::span<const char* const> Words(Per);
std::span<const char* const> Words(BatchMode);

template <typename Choice>
const char* Name(Choice choice) {
  return Words(choice)[static_cast<std::size_t>(choice)];
}
// False for a word that is not one.
template <typename Choice>
bool Parse(std::string_view word, Choice* choice) {
  const std::span<const char* const> words = Words(*choice);
  for (std::size_t i = 0; i < words.size(); i++) {
    if (word == words[i]) {
      *choice = static_cast<Choice>(i);
      return true;
    }
  }
  return false;
}

// Keeps transactions that define, change or drop a job of this name apart until they end. Waits
// only for those that have to do with a job of the same owner, and raises 42710 when the name is
// about to be another's.
void LockJobName(const std::string& job_name, Oid owner);
// The owner of the job of this name, also of one that a transaction is making which is under way or
// prepared. InvalidOid: the name is free.
Oid OwnerOfName(const std::string& job_name);
// Raises 42710 when a transaction of somebody else is about to give this name to a job of another
// owner: the unique index would wait for its end.
void RefuseTakenName(const std::string& job_name, Oid owner);

// Keeps transactions apart that change on whom jobs of this owner depend, so that no two of them
// make a cycle together: the jobs of one have owners who manage each other's. Taken before any lock
// on a name.
void LockDependencies(Oid owner);

}  // namespace ratchet::catalog
