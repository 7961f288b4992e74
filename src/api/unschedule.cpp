// ratchet.unschedule()
#include "api/argument.h"
#include "api/define_job.h"
#include "api/dependency_check.h"
#include "api/job_change.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/commit_notice.h"
#include "catalog/job_version.h"

namespace ratchet::api {
namespace {

enum Argument { kJobName, kIfExists };

// Only the definition goes, in this transaction. The scheduler then ends the runs that wait and
// forgets where the job stood; the history stays until its time is over.
bool Unschedule(const Arguments& arguments) {
  RequireWritable("ratchet.unschedule()");
  const std::string job_name = arguments.Text(kJobName, "job_name");
  ItemPointerData tid;
  if (!arguments.BoolOr(kIfExists, false)) {
    DropJob(LockJob(job_name, &tid), &tid);
    return true;
  }
  const auto job = LockJobIfAny(job_name, &tid);
  if (job) {
    DropJob(*job, &tid);
  }
  return job.has_value();
}

}  // namespace

void DropJob(const catalog::JobDefinition& job, ItemPointer tid) {
  catalog::DeleteJob(tid);
  RecordChange(&job, nullptr);
  catalog::KeepHistoryOf(job);
  catalog::NoteJobChanged(job.job_id);
  WarnOfDependents(job);
}

}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_unschedule);
PGDLLEXPORT Datum ratchet_unschedule(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return BoolGetDatum(ratchet::api::Unschedule(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
