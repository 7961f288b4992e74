// The runs that are asked for and not claimed yet, as the scheduler knows them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "catalog/run_queue.h"

namespace ratchet::scheduler {

class WaitingRuns {
 public:
  // Where a run is, which SetPlace() alone changes.
  //
  //   kOut ──▶ kInLine ◀──▶ kAside
  //    ▲─────────┴────────────┘
  enum class Place {
    kOut,     // its time has not come, or its job is paused
    kInLine,  // in its role's line, or in that of its job's mutex
    kAside,   // its time has come: behind others of its job, or behind the run of it that is under
              // way
  };
  struct Run {
    catalog::QueuedRun run;  // its payload is left in the table
    ItemPointerData tid;
    Place place;
  };
  struct OfJob {
    std::set<std::int64_t> all;
    std::set<std::int64_t> retries;  // of those, what goes on with the work of an earlier run
    std::set<std::int64_t> in_line;
    std::set<std::pair<TimestampTz, std::int64_t>> aside;  // by run_at
  };

  void Clear() { *this = {}; }

  // It is out, and looked at when its time comes.
  void Add(catalog::QueuedRun run, ItemPointerData tid);
  void Erase(std::int64_t run_id);

  Run* Find(std::int64_t run_id);
  // The run is there.
  Run& At(std::int64_t run_id) { return runs_.at(run_id); }
  const Run& At(std::int64_t run_id) const { return runs_.at(run_id); }
  bool Contains(std::int64_t run_id) const { return runs_.contains(run_id); }
  // An empty one when none of the job waits.
  const OfJob& Of(std::int64_t job_id) const;
  bool AnyOf(std::int64_t job_id) const { return of_job_.contains(job_id); }
  // The one that a change trigger has asked for; null when there is none.
  Run* ChangeRunOf(std::int64_t job_id);

  void SetPlace(std::int64_t run_id, Place place);

  // The clock was set by so much: what waits for a span to end waits for the rest of it.
  void MoveWithClock(std::int64_t by, bool (*is_for_fixed_time)(const catalog::QueuedRun& run));

  void LookAt(std::int64_t run_id, TimestampTz at) { looks_.emplace(at, run_id); }
  // kNever when there is none.
  TimestampTz NextLook() const;
  // The next one that is out and is to be looked at by now.
  std::optional<std::int64_t> TakeLook(TimestampTz now);

 private:
  std::unordered_map<std::int64_t, Run> runs_;
  std::unordered_map<std::int64_t, OfJob> of_job_;
  std::unordered_map<std::int64_t, std::int64_t> change_runs_;  // by job
  // Some are of runs that have gone, or have been looked at earlier.
  std::multimap<TimestampTz, std::int64_t> looks_;
};

}  // namespace ratchet::scheduler
