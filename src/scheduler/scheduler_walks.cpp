// What goes on with the walk of an earlier run: the rest of a run that was `partial`, or a new
// attempt at one that failed or crashed behind a checkpoint.
//
// A walk is known by the run with which it began. It ends when a run completes it, whichever that
// is, or when its checkpoint is given up: what waits to go on with it is nothing then, or it would
// begin at the first item again.
#include "scheduler/scheduler.h"

#include "catalog/checkpoint.h"

namespace ratchet::scheduler {

// Says which walk the retry goes on with. False: nobody is needed for that, since another run waits
// to do so, or since there is nothing to go on behind any more: the walk of the run that has ended
// may itself have ended before we come to that. A run that has done nothing may not have come to
// begin a walk.
bool Scheduler::JoinsWalk(const Job& job, const RunEnd& end, catalog::QueuedRun* retry) const {
  if (catalog::WalkHasEnded(end)) {
    return false;
  }
  const auto checkpoint = catalog::FindCheckpoint(job.job_id, retry->walk);
  retry->walk_began = checkpoint ? checkpoint->first_run : 0;
  if (retry->cause != policy::Cause::kCatchup) {
    return true;
  }
  if (job.batch && !checkpoint && retry->items_of == 0 && end.Progressed()) {
    return false;
  }
  for (const std::int64_t run_id : waiting_.Of(job.job_id).retries) {
    const WaitingRuns::Run& waiting = waiting_.At(run_id);
    const catalog::QueuedRun& other = waiting.run;
    // Without a checkpoint the work is told by the payload.
    const bool same_work = retry->walk_began != 0 || (!other.has_payload && !retry->has_payload);
    if (same_work && other.cause == retry->cause && other.walk == retry->walk &&
        other.walk_began == retry->walk_began && other.replay_of == retry->replay_of &&
        other.items_of == retry->items_of && other.backfill_id == retry->backfill_id) {
      return false;
    }
  }
  return true;
}

void Scheduler::EndIfWalkHasEnded(std::uint32_t index, std::int64_t run_id, TimestampTz now) {
  Begin();
  if (catalog::WalkHasEnded(waiting_.At(run_id).run)) {
    CancelWaiting(run_id, policy::RunStatus::kSkipped, catalog::kWalkHasEnded, now);
    Reconsider(index, now);
  }
}

void Scheduler::EndLostRetries(std::uint32_t index, TimestampTz now) {
  const std::set<std::int64_t> retries = waiting_.Of(jobs_[index].job_id).retries;
  for (const std::int64_t run_id : retries) {
    EndIfWalkHasEnded(index, run_id, now);
  }
}

}  // namespace ratchet::scheduler
