// ratchet.schedule() and ratchet.schedule_batch()
#include "api/argument.h"
#include "api/job_check.h"
#include "api/job_settings.h"
#include "api/option.h"
#include "api/privilege.h"
#include "catalog/commit_notice.h"
#include "catalog/home.h"

namespace ratchet::api {
namespace {

enum ScheduleArgument { kJobName, kSchedule, kCommand, kFirstOption };
enum ScheduleBatchArgument { kSource = kCommand, kAction, kFirstBatchOption };

// Who deploys the same script again neither resumes what was paused nor takes the job over.
void KeepWhatIsNotGiven(const Arguments& arguments, int first_option,
                        const catalog::JobDefinition& old, catalog::JobDefinition* job) {
  job->job_id = old.job_id;
  job->version = old.version;
  job->schedule_since = old.schedule_since;
  job->created_at = old.created_at;
  job->changed_at = old.changed_at;
  if (!IsGiven("enabled", arguments, first_option)) {
    job->enabled = old.enabled;
  }
  if (!IsGiven("run_as", arguments, first_option)) {
    job->owner = old.owner;
  }
}

std::int64_t Define(const Arguments& arguments, int first_option, catalog::JobDefinition job) {
  catalog::LockJobName(job.job_name);
  ItemPointerData tid;
  const std::optional<catalog::JobDefinition> old = catalog::FindJobByName(job.job_name, &tid);
  if (!old) {
    CompleteJob(&job, nullptr, SearchPathOfSession());
    if (catalog::SettleIfEmpty(GetCurrentTransactionStartTimestamp())) {
      catalog::NoteEverythingChanged();
    }
    catalog::InsertJob(&job);
    catalog::NoteJobChanged(job.job_id);
    return job.job_id;
  }
  RequireMayManage(*old);
  KeepWhatIsNotGiven(arguments, first_option, *old, &job);
  if (CompleteJob(&job, &*old, SearchPathOfSession())) {
    catalog::UpdateJob(&tid, job);
    catalog::NoteJobChanged(job.job_id);
  }
  return job.job_id;
}

catalog::JobDefinition Begin(const Arguments& arguments) {
  catalog::JobDefinition job;
  job.job_name = arguments.Text(kJobName, "job_name");
  job.schedule = arguments.Text(kSchedule, "schedule");
  CheckJobName(job.job_name, "job_name");
  return job;
}

std::int64_t Schedule(const Arguments& arguments) {
  RequireWritable("ratchet.schedule()");
  catalog::JobDefinition job = Begin(arguments);
  job.command = arguments.Text(kCommand, "command");
  SetOptions(arguments, kFirstOption, kCommonOptionCount, &job);
  return Define(arguments, kFirstOption, std::move(job));
}

std::int64_t ScheduleBatch(const Arguments& arguments) {
  RequireWritable("ratchet.schedule_batch()");
  catalog::JobDefinition job = Begin(arguments);
  job.source = arguments.Text(kSource, "source");
  job.action = arguments.Text(kAction, "action");
  RequireText(job.source, "source");
  RequireText(job.action, "action");
  SetOptions(arguments, kFirstBatchOption, kOptionCount, &job);
  return Define(arguments, kFirstBatchOption, std::move(job));
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_schedule);
PGDLLEXPORT Datum ratchet_schedule(PG_FUNCTION_ARGS) {
  return ratchet::pg::Entry(
      [fcinfo] { return Int64GetDatum(ratchet::api::Schedule(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_schedule_batch);
PGDLLEXPORT Datum ratchet_schedule_batch(PG_FUNCTION_ARGS) {
  return ratchet::pg::Entry([fcinfo] {
    return Int64GetDatum(ratchet::api::ScheduleBatch(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
