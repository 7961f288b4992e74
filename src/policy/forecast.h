// What the schedule of a job will start, if everything goes as usual: the steps that a scheduler
// would take, one after the other, without a server and ahead of time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/job_plan.h"

namespace ratchet::policy {

struct ForecastStart {
  calendar::Instant at = 0;            // when it starts
  calendar::Instant scheduled_at = 0;  // its logical time
  bool catchup = false;
};

// What the plan points to has to outlive this. What a run of it takes is `takes`, in microseconds,
// none fails, and jobs that it depends on have succeeded in time.
class Forecast {
 public:
  // One that is under way ends at `busy_until`; 0: none is.
  Forecast(JobPlan plan, calendar::Instant now, std::int64_t takes, calendar::Instant busy_until);

  // The next start up to `until`; none: there is none, or what comes is too far away to be looked
  // for.
  std::optional<ForecastStart> Next(calendar::Instant until);

 private:
  void Begin(calendar::Instant end);

  JobPlan plan_;
  calendar::Instant now_;
  std::int64_t takes_;
  calendar::Instant end_ = 0;  // of the run that is under way; 0: none is
};

// When a job starts that has no schedule of its own, by the ends of those on which it depends: once
// all of them have ended since it started last. `ends` has the ends of each of them, in order;
// nothing is known of one that has none.
std::vector<calendar::Instant> StartsAfterAll(
    const std::vector<std::vector<calendar::Instant>>& ends);

}  // namespace ratchet::policy
