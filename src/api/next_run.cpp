// ratchet._next_run_at(): when a job starts that the scheduler has not come to yet

#include "api/argument.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "board/database_board.h"
#include "catalog/job_state.h"
#include "catalog/timing.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "policy/job_plan.h"

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

// A database that is not known yet will be when the transaction that scheduled has committed.
bool JobsRunInThisDatabase() {
  if (board::TheBoard() == nullptr) {
    return false;
  }
  const auto database = board::ViewDatabase(MyDatabaseId);
  return !database || !database->quarantined;
}

// As the scheduler makes it of the same rows: see JobTable::Put and JobTable::PlanOf.
policy::JobPlan PlanOf(const JobDefinition& job, const catalog::Timing& timing) {
  catalog::JobState state;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  catalog::FindJobState(job.job_id, &tid, &state);

  policy::JobPlan plan;
  plan.schedule = &timing.schedule;
  plan.zone = timing.zone;
  plan.window = timing.WindowOrNull();
  plan.left_out = timing.left_out.get();
  plan.anchor = job.start_at != 0 ? job.start_at : job.schedule_since;
  plan.start_at = job.start_at;
  plan.end_at = job.end_at;
  plan.max_runs = job.max_runs;
  plan.enabled = job.enabled;
  plan.here =
      catalog::IsMeantFor(job, pg::settings.environment != nullptr ? pg::settings.environment : "");
  plan.watermark =
      policy::AccountedFor(state.last_scheduled_at, job.schedule_since, pg::Now().wall);
  plan.last_finished = state.LastEnd();
  plan.backoff_until = state.backoff_until;
  plan.run_count = state.run_count;
  return plan;
}

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
    return PlanOf(*job, timing).NextStart();
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
