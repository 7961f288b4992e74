#include "api/job_outlook.h"

#include "board/board.h"
#include "board/database_board.h"
#include "pg/clock.h"
#include "pg/settings.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {

bool JobsRunInThisDatabase() {
  if (board::TheBoard() == nullptr) {
    return false;
  }
  const auto database = board::ViewDatabase(MyDatabaseId);
  return !database || !database->quarantined;
}

catalog::JobState StateOf(const catalog::JobDefinition& job) {
  catalog::JobState state;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  catalog::FindJobState(job.job_id, &tid, &state);
  return state;
}

policy::JobPlan PlanOf(const catalog::JobDefinition& job, const catalog::Timing& timing,
                       const catalog::JobState& state) {
  policy::JobPlan plan;
  plan.schedule = &timing.schedule;
  plan.zone = timing.zone;
  plan.window = timing.WindowOrNull();
  plan.left_out = timing.left_out.get();
  plan.anchor = job.start_at != 0 ? job.start_at : job.schedule_since;
  plan.start_at = job.start_at;
  plan.end_at = job.end_at;
  plan.max_runs = job.max_runs;
  plan.overlap = job.overlap;
  plan.misfire = job.misfire;
  plan.misfire_limit = job.misfire_limit;
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

}  // namespace ratchet::api
