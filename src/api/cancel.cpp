// ratchet.cancel()
#include "api/argument.h"
#include "api/live_run.h"
#include "api/privilege.h"
#include "api/runs_of_job.h"
#include "api/sql_function.h"
#include "api/waiting_run.h"
#include "board/board.h"
#include "catalog/commit_notice.h"
#include "catalog/run_log.h"

namespace ratchet::api {
namespace {

[[noreturn]] void NoSuchRun(std::int64_t run_id) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "run " + std::to_string(run_id) + " does not exist");
}

// Who manages the job may stop what is under way of it as a former owner.
bool IsInOnesWay(std::int64_t job_id, Oid owner) {
  const auto job = catalog::FindJob(job_id);
  return job && job->owner != owner && MayManage(job->owner);
}

void RequireMayCancel(std::int64_t run_id, std::int64_t job_id, Oid owner) {
  if (MayManage(owner) || IsInOnesWay(job_id, owner)) {
    return;
  }
  if (!MaySee(owner)) {
    NoSuchRun(run_id);
  }
  RequireMayManageRun(run_id, owner);
}

// It has done its work and cannot be recorded, because somebody has locked the log: which is not
// waited for here to find out that it is not there.
bool WaitsForItsRecord(const catalog::FoundRun& found) {
  const auto live = FindLiveRun(found.run.run_id);
  return live && live->ticket.mark == found.run.mark && live->in_the_way != 0;
}

// Whether it was under way; nullopt: there is no such run.
std::optional<bool> CancelRun(std::int64_t run_id) {
  for (;;) {
    std::optional<catalog::FoundRun> found = catalog::FindQueuedRun(run_id);
    const auto ended =
        found && WaitsForItsRecord(*found) ? std::nullopt : catalog::FindRunRecord(run_id);
    if (ended && (!found || found->run.mark == ended->mark)) {
      RequireMayCancel(run_id, ended->job_id, ended->owner);
      return false;
    }
    if (!found) {
      break;
    }
    RequireMayCancel(run_id, found->run.job_id, found->run.owner);
    if (found->run.claimed_at != 0) {
      // It is running, or about to: it is asked to stop when this transaction commits.
      board::RequireBoard();
      catalog::NoteCancel(run_id);
      return true;
    }
    if (LockWaitingRun(*found)) {
      EndWaitingRun(&*found);
      return true;
    }
    // It was claimed or ended while we waited for it.
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  }
  // A run in the foreground of a session that was given no payload has no row before it ends.
  if (const auto live = FindLiveRun(run_id)) {
    RequireMayCancel(run_id, live->ticket.job_id, live->ticket.owner);
    catalog::NoteCancel(run_id);
    return true;
  }
  return std::nullopt;
}

bool Cancel(const Arguments& arguments) {
  RequireWritable("ratchet.cancel()");
  const std::int64_t run_id = arguments.Int64(0, "run_id");
  const std::optional<bool> was_under_way = CancelRun(run_id);
  if (!was_under_way) {
    NoSuchRun(run_id);
  }
  return *was_under_way;
}

std::int64_t CancelJob(const Arguments& arguments) {
  RequireWritable("ratchet.cancel()");
  std::int64_t canceled = 0;
  for (const std::int64_t run_id : RunsUnderWay(RequireJob(arguments.Text(0, "job_name")).job_id)) {
    canceled += CancelRun(run_id).value_or(false) ? 1 : 0;
  }
  return canceled;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_cancel);
PGDLLEXPORT Datum ratchet_cancel(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return BoolGetDatum(ratchet::api::Cancel(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_cancel_job);
PGDLLEXPORT Datum ratchet_cancel_job(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::CancelJob(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
