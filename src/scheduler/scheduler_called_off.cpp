// What waits and must not run any more: its job was dropped or given to another role, or who has
// asked for it has lost the right to. It ends with a record that says so. What follows from the
// definition of the job (a dependency, a change of a table, backfill_from) goes over with the job.
#include "scheduler/scheduler.h"

#include "catalog/checkpoint.h"
#include "catalog/numbers.h"
#include "catalog/role_rights.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::scheduler {
namespace {

constexpr char kGivenAway[] = "the job was given to another role";
constexpr char kOwnerGone[] = "the role that owned the job was dropped";

// A sum of what is left of a backfill, and no more than this.
constexpr std::int64_t kMostOccurrences = 1'000'000;

// Empty: the role may still ask for runs of the owner's jobs. Needs a transaction.
std::string WhyNotAskedFor(Oid requested_by, Oid owner) {
  if (!OidIsValid(requested_by) || requested_by == owner ||
      catalog::MayManageJobsOf(requested_by, owner)) {
    return {};
  }
  std::string name;
  pg::Call([&] {
    const char* found = GetUserNameFromId(requested_by, true);
    name = found != nullptr ? found : "";
  });
  return name.empty()
             ? "the role that had asked for it does not exist any more"
             : "role \"" + name + "\", which had asked for it, may not manage the job any more";
}

}  // namespace

// Empty: it may run.
std::string Scheduler::WhyCalledOff(const catalog::QueuedRun& run) {
  const std::uint32_t index = FindOrRecall(run);
  const bool is_replay = run.replay_of != 0;
  if (index == JobTable::kNoJob) {
    return is_replay ? "the definition that it would have run is not kept any more"
                     : "the job was unscheduled";
  }
  const Job& job = jobs_[index];
  if (job.dropped && !is_replay) {
    return "the job was unscheduled";
  }
  const bool was_asked_for = OidIsValid(run.requested_by) || run.retry_of != 0;
  if (run.owner != job.owner && (was_asked_for || is_replay)) {
    return OidIsValid(job.owner) ? kGivenAway : kOwnerGone;
  }
  return WhyNotAskedFor(run.requested_by, job.owner);
}

std::string Scheduler::WhyCalledOff(const Job& job, const catalog::Backfill& backfill) const {
  if (OidIsValid(backfill.requested_by) && backfill.owner != job.owner) {
    return OidIsValid(job.owner) ? kGivenAway : kOwnerGone;
  }
  return WhyNotAskedFor(backfill.requested_by, job.owner);
}

// False: it may run.
bool Scheduler::CallOff(std::int64_t run_id, TimestampTz now) {
  Begin();
  const std::string reason = WhyCalledOff(waiting_.At(run_id).run);
  if (!reason.empty()) {
    gone_owners_.Know(waiting_.At(run_id).run.owner);  // who may be gone, and gets another record
    CancelWaiting(run_id, policy::RunStatus::kCanceled, reason, now);
  }
  return !reason.empty();
}

void Scheduler::CallOffRunsOf(std::uint32_t index, TimestampTz now) {
  const std::set<std::int64_t> runs = waiting_.Of(jobs_[index].job_id).all;
  for (const std::int64_t run_id : runs) {
    CallOff(run_id, now);
  }
}

bool Scheduler::IsOfFormerOwner(const Job& job, const RunEnd& end) const {
  return !job.dropped && end.owner != job.owner;
}

// It was under way when the job was given away. Its record is the former owner's, and says nothing
// about the job of the new one, who does not go on with it either.
void Scheduler::SettleFormerOwners(std::uint32_t index, const RunEnd& end, TimestampTz now) {
  const Job& job = jobs_[index];
  gone_owners_.Know(end.owner);
  const auto checkpoint = catalog::FindCheckpoint(job.job_id, end.walk);
  if (end.walk != 0 || (!job.batch && checkpoint && checkpoint->run_id == end.run_id)) {
    catalog::DeleteCheckpoint(job.job_id, end.walk, pg::IfBusy::kGiveUp);
  }
  EndLostRetries(index, now);
  CallAside(index);
  Reconsider(index, now);
}

// The caller holds its row.
void Scheduler::EndCalledOffBackfill(std::uint32_t index, const catalog::Backfill& backfill,
                                     const std::string& reason, TimestampTz now) {
  Job& job = jobs_[index];
  const TimestampTz until = backfill.to_time != 0 ? std::min(backfill.to_time, now) : now;
  const calendar::OpenTimeline timeline = jobs_.TimelineOf(job, backfill.after_time + 1);
  const calendar::Instant next = timeline.Next(backfill.after_time);
  if (next != calendar::kNever && next <= until) {
    catalog::RunRecord record = SkipRecordOf(&job, now);
    record.owner = backfill.owner;
    record.cause = policy::Cause::kBackfill;
    record.status = policy::RunStatus::kCanceled;
    record.scheduled_at = next;
    record.queued_at = std::min(backfill.requested_at, now);
    record.occurrences = timeline.Count(backfill.after_time, until, kMostOccurrences);
    record.reason = reason;
    catalog::InsertRunRecord(record);
    recorded_ = true;
    purge_.Expect(job.job_id, now);
  }
  catalog::DeleteBackfill(backfill);
}

}  // namespace ratchet::scheduler
