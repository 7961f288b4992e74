// Occurrences for which there is nothing to do: no table that the job watches has changed, or its
// only_if was false. They are counted and leave no record, and the job stands as before.
#include "scheduler/scheduler.h"

#include "catalog/checkpoint.h"

namespace ratchet::scheduler {

bool Scheduler::WatchSaysRun(std::uint32_t index) {
  const policy::Watch* watch = watched_.Find(jobs_[index].job_id);
  if (watch == nullptr) {
    return true;
  }
  Begin();
  return watch->Changed(watched_.MarkOf(jobs_[index]));
}

// Nothing has changed: what is due is accounted for.
void Scheduler::PassOver(std::uint32_t index, const policy::Step& due, TimestampTz now) {
  RecordClosed(index, due.closed, now);
  Job& job = jobs_[index];
  job.ready = false;
  job.watermark = due.until;
  job.last_finished = now;  // from which `after completion` counts
  job.CountEmptyRun(true);
  StateOf(index).last_not_needed_at = now;
  statistics_.CountNotNeeded(job.job_id, due.count);
  Reconsider(index, now);
}

// What a run that is about to start will have seen of the tables, if its success is one of the job
// as it is now. Not that of one which may overlap with another and goes on with a third one's work.
std::optional<policy::TableMark> Scheduler::SeenBy(std::uint32_t index,
                                                   const catalog::QueuedRun& run) {
  const Job& job = jobs_[index];
  const policy::Watch* watch = watched_.Find(job.job_id);
  if (watch == nullptr || job.dropped || run.replay_of != 0 || run.items_of != 0 ||
      run.backfill_id != 0 || run.dry_run || run.has_payload) {
    return std::nullopt;
  }
  Begin();
  const policy::TableMark now = watched_.MarkOf(job);
  if (job.overlap == catalog::Overlap::kAllow) {
    return run.retry_of == 0 ? std::optional(now) : std::nullopt;
  }
  return watch->AtStart(now);
}

void Scheduler::LearnFromRun(std::uint32_t index, const RunEnd& end) {
  const Job& job = jobs_[index];
  policy::Watch* watch = watched_.Find(job.job_id);
  if (watch == nullptr || end.dry_run || end.backfill_id != 0) {
    return;
  }
  if (job.overlap == catalog::Overlap::kAllow && end.status != policy::RunStatus::kSucceeded) {
    return;  // others have not gone on with its work
  }
  if (watch->AfterRun(end.status, end.seen, end.own)) {
    StateOf(index).watch_seen = watch->success().Encode();
  }
}

// The run's only_if was false. An occurrence of the schedule is as if it had not been claimed.
void Scheduler::EndNotNeeded(std::uint32_t index, const RunEnd& end, TimestampTz now) {
  Job& job = jobs_[index];
  if (catalog::EndsWithItsRun(end.walk)) {
    catalog::DeleteCheckpoint(job.job_id, end.walk,
                              pg::IfBusy::kGiveUp);  // nobody goes on behind it
  }
  if (!job.dropped) {
    const bool is_occurrence = end.retry_of == 0 && (end.cause == policy::Cause::kSchedule ||
                                                     end.cause == policy::Cause::kCatchup ||
                                                     end.cause == policy::Cause::kDependency);
    catalog::JobState& state = StateOf(index);
    state.last_not_needed_at = end.finished_at;
    if (is_occurrence) {
      job.run_count -= job.run_count > 0 ? 1 : 0;
      if (state.last_occurrence == end.scheduled_at) {
        state.last_occurrence = end.previous_scheduled_at;
      }
    }
    job.last_finished = end.finished_at;
    job.CountEmptyRun(true);
    statistics_.CountNotNeeded(job.job_id, 1);
  }
  CallAside(index);
  Reconsider(index, now);
}

}  // namespace ratchet::scheduler
