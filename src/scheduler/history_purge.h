// History goes away by itself: each job's oldest records, a few at a time, when nothing else is
// due.
#pragma once

#include <cstdint>
#include <functional>

#include "pg/server.h"
#include "scheduler/gone_owners.h"
#include "scheduler/job_table.h"
#include "scheduler/purge_plan.h"

namespace ratchet::scheduler {

class HistoryPurge {
 public:
  HistoryPurge(const JobTable* jobs, GoneOwners* owners) : jobs_(*jobs), owners_(*owners) {}

  void Clear() { plan_.Clear(); }
  // Records that are left from before are looked for then, and every few hours.
  void ScanAt(TimestampTz at) { next_scan_ = at; }

  // In a transaction. A record of the job was written `at`: it will have to go one day.
  void Expect(std::int64_t job_id, TimestampTz at);
  // It may keep its history for another time now.
  void LookAgain(std::int64_t job_id, TimestampTz now);

  // kNever when nothing is planned.
  TimestampTz NextTime() const { return plan_.NextTime(); }
  // Times of the plan are those of ClockWatch::Believed(): what the clock says is not old enough to
  // go because a clock says so that has just been set.
  //
  // One small step, in a transaction of its own; false when nothing is to be done. `is_needed` says
  // of a job whether something that waits or is under way reads its history. Throws PgError.
  bool Step(TimestampTz believed, TimestampTz now,
            const std::function<bool(std::int64_t)>& is_needed);

 private:
  std::int64_t KeepOf(std::int64_t job_id) const;
  void Purge(std::int64_t job_id, TimestampTz believed, TimestampTz now);
  void FindJobsWithHistory(TimestampTz now);

  const JobTable& jobs_;
  GoneOwners& owners_;
  PurgePlan plan_;
  TimestampTz next_scan_ = 0;
};

}  // namespace ratchet::scheduler
