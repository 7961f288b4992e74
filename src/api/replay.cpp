// ratchet.replay()
#include "api/argument.h"
#include "api/live_run.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/commit_notice.h"
#include "catalog/failed_item.h"
#include "catalog/job_version.h"
#include "catalog/numbers.h"
#include "catalog/run_log.h"
#include "catalog/run_queue.h"

namespace ratchet::api {
namespace {

enum Argument { kRunId, kDryRun, kOnlyFailed };

[[noreturn]] void NoSuchRun(std::int64_t run_id) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "run " + std::to_string(run_id) + " does not exist");
}

[[noreturn]] void Refuse(const std::string& message, const std::string& hint) {
  throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message, hint);
}

// A run that has no record is told from one that does not exist.
[[noreturn]] void NotEnded(std::int64_t run_id) {
  const auto queued = catalog::FindQueuedRun(run_id);
  const auto live = FindLiveRun(run_id);
  const Oid owner = queued ? queued->run.owner : live ? live->ticket.owner : InvalidOid;
  if (!OidIsValid(owner) || !MaySee(owner)) {
    NoSuchRun(run_id);
  }
  RequireMayManageRun(run_id, owner);
  Refuse("run " + std::to_string(run_id) + " has not ended yet",
         "Wait for its end with ratchet.wait(" + std::to_string(run_id) + ").");
}

catalog::RunRecord RequireEndedRun(std::int64_t run_id) {
  std::optional<catalog::RunRecord> record = catalog::ReadRunRecord(run_id);
  if (!record) {
    NotEnded(run_id);
  }
  if (!MaySee(record->owner)) {
    NoSuchRun(run_id);
  }
  RequireMayManageRun(run_id, record->owner);
  if (record->quarantined) {
    Refuse("the record of run " + std::to_string(run_id) + " was not written by pg_ratchet",
           "Use ratchet.trigger() for a run of what the job is now.");
  }
  if (record->started_at == 0 && record->status != policy::RunStatus::kFailed) {
    Refuse("run " + std::to_string(run_id) + " was " + std::string(policy::Name(record->status)) +
               " and did not run",
           "Use ratchet.trigger() for a run now, or ratchet.backfill() for the time it was for.");
  }
  return std::move(*record);
}

// What the run ran. Its owner is the one whose name the replay runs under, so that what holds for
// the record has to hold for it.
catalog::JobVersion RequireVersion(const catalog::RunRecord& record) {
  std::optional<catalog::JobVersion> version =
      catalog::FindJobVersion(record.job_id, record.version);
  if (!version) {
    Refuse("the definition that run " + std::to_string(record.run_id) + " has run is not kept",
           "Use ratchet.trigger() for a run of what the job is now.");
  }
  RequireMayManageRun(record.run_id, version->owner);
  if (version->is_queue) {
    Refuse("run " + std::to_string(record.run_id) + " cannot be replayed: it is one of a queue",
           "ratchet.retry_task() and ratchet.redrive() do dead tasks again.");
  }
  return std::move(*version);
}

// A replay takes the job's turn, its mutex and its place in the order of work. Who does not own the
// job any more has no use of these, and needs none: what the run ran is in ratchet.job_version.
void RequireOwnersRun(const catalog::RunRecord& record, const catalog::JobVersion& version) {
  const auto job = catalog::FindJob(record.job_id);
  const auto last = job ? std::nullopt : catalog::FindNewestVersion(record.job_id);
  const Oid owner = job ? job->owner : last ? last->owner : InvalidOid;
  if (owner != version.owner) {
    Refuse("run " + std::to_string(record.run_id) +
               " cannot be replayed: its job belongs to another role now",
           "Define a job of its own with what the run has run, which is in ratchet.job_version.");
  }
}

// The run whose failed items are to be done; 0 for all that the run did.
std::int64_t ItemsOf(const catalog::RunRecord& record, const catalog::JobVersion& version,
                     bool only_failed) {
  if (!only_failed && record.items_of == 0) {
    return 0;
  }
  if (!version.is_batch()) {
    Refuse("only_failed cannot be used: job \"" + version.job_name + "\" is not a batch job",
           "Replay all of the run, without only_failed.");
  }
  const std::int64_t items_of = record.items_of != 0 ? record.items_of : record.run_id;
  if (catalog::CountFailedItems(items_of) == 0) {
    Refuse("run " + std::to_string(items_of) + " has no failed items that are not resolved",
           "The view ratchet.failed_items tells when and by which run each was resolved.");
  }
  return items_of;
}

std::int64_t Replay(const Arguments& arguments) {
  RequireWritable("ratchet.replay()");
  const std::int64_t run_id = arguments.Int64(kRunId, "run_id");
  const catalog::RunRecord record = RequireEndedRun(run_id);
  const catalog::JobVersion version = RequireVersion(record);
  RequireOwnersRun(record, version);
  catalog::QueuedRun run;
  run.items_of = ItemsOf(record, version, arguments.BoolOr(kOnlyFailed, false));
  catalog::NumberRun(&run);
  run.job_id = record.job_id;
  run.version = record.version;
  run.owner = version.owner;
  run.cause = policy::Cause::kReplay;
  run.scheduled_at = record.scheduled_at;
  run.previous_scheduled_at = record.previous_scheduled_at;
  run.queued_at = GetCurrentTimestamp();
  run.run_at = run.queued_at;
  run.requested_by = GetUserId();
  run.Give(record.payload);
  run.dry_run = arguments.BoolOr(kDryRun, false);
  run.replay_of = run_id;
  run.walk = run.run_id;
  catalog::InsertQueuedRun(run);
  catalog::NoteRunQueued(run.run_id);
  return run.run_id;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_replay);
PGDLLEXPORT Datum ratchet_replay(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::Replay(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
