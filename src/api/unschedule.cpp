// ratchet.unschedule()
#include "api/argument.h"
#include "api/define_job.h"
#include "api/dependency_check.h"
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
  catalog::LockJobName(job_name);
  ItemPointerData tid;
  if (arguments.BoolOr(kIfExists, false) && !catalog::FindJobByName(job_name, &tid)) {
    return false;
  }
  const catalog::JobDefinition job = RequireJob(job_name, &tid);
  DropJob(job, &tid);
  return true;
}

}  // namespace

void DropJob(const catalog::JobDefinition& job, ItemPointer tid) {
  catalog::DeleteJob(tid);
  catalog::KeepHistoryOf(job);
  catalog::NoteJobChanged(job.job_id);
  WarnOfDependents(job.job_name);
}

}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_unschedule);
PGDLLEXPORT Datum ratchet_unschedule(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return BoolGetDatum(ratchet::api::Unschedule(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
