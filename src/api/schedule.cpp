// ratchet.schedule()
#include "api/argument.h"
#include "api/job_check.h"
#include "api/job_settings.h"
#include "api/option.h"
#include "api/privilege.h"
#include "catalog/backfill.h"
#include "catalog/commit_notice.h"
#include "catalog/home.h"

namespace ratchet::api {
namespace {

enum Argument { kJobName, kSchedule, kCommand, kFirstOption };

std::int64_t Schedule(const Arguments& arguments) {
  RequireWritable("ratchet.schedule()");
  catalog::JobDefinition job;
  job.job_name = arguments.Text(kJobName, "job_name");
  job.schedule = arguments.Text(kSchedule, "schedule");
  job.command = arguments.Text(kCommand, "command");
  CheckJobName(job.job_name, "job_name");
  SetOptions(arguments, kFirstOption, &job);

  catalog::LockJobName(job.job_name);
  ItemPointerData tid;
  const std::optional<catalog::JobDefinition> old = catalog::FindJobByName(job.job_name, &tid);
  if (!old) {
    CompleteJob(&job, nullptr, SearchPathOfSession());
    if (catalog::SettleIfEmpty(GetCurrentTransactionStartTimestamp())) {
      catalog::NoteEverythingChanged();
    }
    catalog::InsertJob(&job);
    catalog::StartBackfillOf(job, nullptr);
    catalog::NoteJobChanged(job.job_id);
    return job.job_id;
  }
  RequireMayManage(*old);
  job.job_id = old->job_id;
  job.version = old->version;
  job.schedule_since = old->schedule_since;
  job.created_at = old->created_at;
  job.changed_at = old->changed_at;
  // Who deploys the same script again neither resumes what was paused nor takes the job over.
  if (!IsGiven("enabled", arguments, kFirstOption)) {
    job.enabled = old->enabled;
  }
  if (!IsGiven("run_as", arguments, kFirstOption)) {
    job.owner = old->owner;
  }
  if (CompleteJob(&job, &*old, SearchPathOfSession())) {
    catalog::UpdateJob(&tid, job);
    catalog::StartBackfillOf(job, &*old);
    catalog::NoteJobChanged(job.job_id);
  }
  return job.job_id;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_schedule);
PGDLLEXPORT Datum ratchet_schedule(PG_FUNCTION_ARGS) {
  return ratchet::pg::Entry(
      [fcinfo] { return Int64GetDatum(ratchet::api::Schedule(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
