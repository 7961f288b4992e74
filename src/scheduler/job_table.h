// The jobs of a database as its scheduler knows them: compact, for there may be a million.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "calendar/schedule.h"
#include "catalog/job.h"
#include "catalog/job_version.h"
#include "catalog/run_error.h"
#include "catalog/timing.h"
#include "pg/time_zone.h"
#include "policy/after_run.h"
#include "policy/job_plan.h"
#include "scheduler/due_heap.h"
#include "scheduler/job_index.h"

namespace ratchet::scheduler {

// What many jobs have in common is kept once: when they are due, and
// the options that are the same for most jobs.
struct SharedRules {
  policy::RetryRules retry;
  std::int32_t misfire_limit;
  std::int32_t max_runs;      // 0: no limit
  std::int64_t timeout;       // microseconds, 0: none
  std::int64_t keep_history;  // microseconds, -1: the setting's

  friend bool operator==(const SharedRules&, const SharedRules&);
};

struct Job {
  std::int64_t job_id;
  std::int64_t watermark;      // occurrences up to here are accounted for
  std::int64_t anchor;         // of an interval; start_at, if the job has one
  std::int64_t end_at;         // 0: none
  std::int64_t last_finished;  // 0: has not run
  std::int64_t backoff_until;  // 0: none
  std::int64_t run_count;
  std::int64_t claimed_at;  // of its newest run
  std::int64_t ready_due;   // its place in the line, while it is ready
  const char* name;         // owned by the table
  std::uint32_t timing;
  std::uint32_t rules;
  std::uint32_t mutex;  // in the scheduler's table, 0: none
  Oid owner;
  std::int32_t version;
  std::int32_t priority;
  std::int32_t heap_position;
  std::uint16_t consecutive_failures;
  std::uint16_t crash_streak;
  std::uint16_t empty_runs;  // in a row, of a continuous job
  std::uint16_t running;     // its live runs, foreground ones not included
  ItemPointerData state_tid;
  catalog::Overlap overlap : 2;
  policy::MisfirePolicy misfire : 2;
  bool alive : 1;  // false: the entry is free
  bool enabled : 1;
  bool has_start : 1;
  bool here : 1;        // meant for this server's environment
  bool pinned : 1;      // this version is in ratchet.job_version
  bool ready : 1;       // waits in a role's ready list for its turn
  bool skip_noted : 1;  // the first skip of this back-off or exile is recorded
  bool batch : 1;
  bool incremental : 1;
  bool dropped : 1;      // has no row any more: it is there for its replays and for what still runs
  bool held : 1;         // the schedule does not start before a backfill is done
  bool past_run : 1;     // what is running is an occurrence of a backfill
  bool quarantined : 1;  // its row was not written by the library: nothing of it starts
  bool queue : 1;        // its runs are stretches of work on a queue's tasks
  bool watched : 1;      // an alert may be about its runs
  bool timed : 1;        // it has a deadline
  bool heard : 1;        // it has a heartbeat

  void CountEmptyRun(bool is_empty) {
    empty_runs = is_empty ? static_cast<std::uint16_t>(std::min(empty_runs + 1, UINT16_MAX)) : 0;
  }
  bool failing() const { return consecutive_failures > 0; }
  // 0: none.
  std::int64_t start_at() const { return has_start ? anchor : 0; }
};
static_assert(sizeof(Job) <= 152);

class JobTable {
 public:
  JobTable() = default;
  JobTable(const JobTable&) = delete;
  JobTable& operator=(const JobTable&) = delete;

  void Clear();
  // To the system, what tables that grew have left behind: of a million jobs, an eleventh.
  static void GiveBackMemory();

  static constexpr std::uint32_t kNoJob = JobIndex::kNone;
  std::uint32_t Find(std::int64_t job_id) const;
  // Makes or renews the entry from the definition; where the job stands is left as it is (zero for
  // a new one). A job whose schedule cannot be read (its zone is gone, say) has none: see
  // ProblemOf.
  std::uint32_t Put(const catalog::JobDefinition& definition, const std::string& environment,
                    std::int64_t now);
  // Why the schedule of an enabled job cannot be read; null when it can.
  const catalog::RunError* ProblemOf(const Job& job) const;
  std::size_t problems() const { return problems_.size(); }
  std::int64_t quarantined() const { return quarantined_; }
  // How many have failed since their last success.
  std::int64_t failing() const { return failing_; }
  void SetFailures(std::uint32_t index, std::int32_t in_a_row);
  void Remove(std::uint32_t index);
  // The entry of a job that has been dropped: it knows what `version` says and has no schedule.
  std::uint32_t PutDropped(const catalog::JobVersion& version);

  Job& operator[](std::uint32_t index) { return jobs_[index]; }
  const Job& operator[](std::uint32_t index) const { return jobs_[index]; }
  const catalog::Timing& TimingOf(const Job& job) const { return timings_[job.timing]; }
  const SharedRules& RulesOf(const Job& job) const { return rules_[job.rules]; }
  std::size_t size() const { return index_.size(); }
  // Upper end of the indexes in use; look at Job::alive.
  std::uint32_t end() const { return static_cast<std::uint32_t>(jobs_.size()); }

  // What is decided about the job, seen as it is now.
  policy::JobPlan PlanOf(const Job& job) const;
  // Its occurrences since `from`, those before it was defined included.
  calendar::OpenTimeline TimelineOf(const Job& job, calendar::Instant from) const;

  // For a clock that was set: by so much, or while nobody was here (0). True when that changes what
  // the job's state tells.
  bool TakeClock(std::uint32_t index, std::int64_t now, std::int64_t by, bool starts_anew);

  void SetDue(std::uint32_t index, std::int64_t due);
  // kNever when nothing is due, ever.
  std::int64_t FirstDue() const;
  // The job that is due first.
  std::uint32_t FirstJob() const { return heap_.top().job; }

 private:
  std::uint32_t Share(const catalog::TimingTexts& texts);
  std::uint32_t Share(const SharedRules& rules);

  std::vector<Job> jobs_;
  std::vector<std::uint32_t> free_;
  JobIndex index_;
  std::vector<catalog::Timing> timings_;
  std::unordered_map<std::string, std::uint32_t> timing_index_;
  std::unordered_map<std::int64_t, catalog::RunError> problems_;  // by job
  std::vector<SharedRules> rules_;
  std::int64_t quarantined_ = 0;  // jobs
  std::int64_t failing_ = 0;      // likewise
  DueHeap heap_;
};

}  // namespace ratchet::scheduler
