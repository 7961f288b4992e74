// ratchet._next_run_at(): when a job starts that the scheduler has not come to yet

#include "api/argument.h"
#include "api/job_outlook.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/timing.h"
#include "pg/guard.h"

namespace ratchet::api {
namespace {

// Never an error: one job whose schedule cannot be read must not take the view away from all
// others.
calendar::Instant NextRunAt(std::int64_t job_id) {
  const auto job = catalog::FindJob(job_id);
  if (!job || job->quarantined || !MaySee(job->owner) || !JobsRunInThisDatabase()) {
    return calendar::kNever;
  }
  try {
    const catalog::Timing timing = catalog::ReadTiming(
        {job->job_name, job->schedule, job->time_zone, job->active_window, job->calendar});
    return PlanOf(*job, timing, StateOf(*job)).NextStart();
  } catch (const calendar::ScheduleError&) {
    return calendar::kNever;
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_next_run_at);
PGDLLEXPORT Datum ratchet_next_run_at(PG_FUNCTION_ARGS) {
  const ratchet::calendar::Instant next =
      ratchet::api::SqlFunction([fcinfo] { return ratchet::api::NextRunAt(PG_GETARG_INT64(0)); });
  if (next == ratchet::calendar::kNever) {
    PG_RETURN_NULL();
  }
  PG_RETURN_TIMESTAMPTZ(next);
}

}  // extern "C"
