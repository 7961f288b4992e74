// Jobs that were dropped. What was to run of them is canceled, except replays, which run what their
// version says; the job stays in the picture, without a schedule, until nothing of it is left.
#include "scheduler/scheduler.h"

#include "catalog/backfill.h"
#include "catalog/checkpoint.h"
#include "catalog/job_version.h"

namespace ratchet::scheduler {

// The job of a run. One that was dropped is there again for a replay, and for a run that is under
// way: two runs of a job do not overlap, whether it is still defined or not.
std::uint32_t Scheduler::FindOrRecall(const catalog::QueuedRun& run) {
  const std::uint32_t index = jobs_.Find(run.job_id);
  if (index != JobTable::kNoJob || run.version == 0) {
    return index;
  }
  const auto version = catalog::FindJobVersion(run.job_id, run.version);
  if (!version) {
    return JobTable::kNoJob;
  }
  dropped_.insert(run.job_id);
  return jobs_.PutDropped(*version);
}

void Scheduler::DropJob(std::uint32_t index, TimestampTz now) {
  const std::int64_t job_id = jobs_[index].job_id;
  if (jobs_[index].dropped) {
    return;
  }
  const std::int64_t keep_history = jobs_.RulesOf(jobs_[index]).keep_history;
  ItemPointerData tid = jobs_[index].state_tid;
  catalog::JobState state;
  if (catalog::FindJobState(job_id, &tid, &state)) {
    catalog::DeleteJobState(&tid);
  }
  states_.erase(job_id);
  watched_.Remove(job_id);
  Unwatch(job_id, now);
  statistics_.Forget(job_id);
  catalog::DeleteJobStat(job_id);
  std::vector<catalog::Backfill> backfills;
  catalog::FindBackfills(job_id, &backfills);
  for (const catalog::Backfill& backfill : backfills) {
    // One that a session is about to remove is none of ours.
    if (catalog::LockBackfill(backfill, false) == pg::RowLock::kLocked) {
      catalog::DeleteBackfill(backfill);
    }
  }
  backfills_.erase(job_id);
  catalog::JobVersion version;
  version.job_id = job_id;
  version.job_name = jobs_[index].name;
  version.owner = jobs_[index].owner;
  version.version = jobs_[index].version;
  version.keep_history = keep_history;
  Unready(index);
  jobs_.PutDropped(version);
  jobs_[index].mutex = 0;
  ForgetDependencies(job_id);
  dropped_.insert(job_id);
  CallOffRunsOf(index, now);
  purge_.Expect(job_id, now);
  CallAside(index);
}

// Jobs that were dropped while nobody could hear of it, or with too many others at once: what is
// left of them is where they stood. After the runs were read: what still runs needs its checkpoint.
void Scheduler::DropLeftovers(const std::vector<std::pair<std::int64_t, ItemPointerData>>& states,
                              TimestampTz now) {
  for (auto [job_id, tid] : states) {
    catalog::DeleteJobState(&tid);
    catalog::DeleteJobStat(job_id);
    statistics_.Forget(job_id);
    if (jobs_.Find(job_id) == JobTable::kNoJob) {
      catalog::DeleteCheckpoints(job_id, pg::IfBusy::kGiveUp);
    }
    purge_.Expect(job_id, now);
  }
}

// The name under which a job that is not there any more ran.
std::string Scheduler::NameOfDropped(std::int64_t job_id) {
  const auto name = catalog::FindVersionedName(job_id);
  return name ? *name : "job " + std::to_string(job_id);
}

// At the end of a pass: those of which nothing is left.
void Scheduler::ForgetDropped(TimestampTz now) {
  for (auto it = dropped_.begin(); it != dropped_.end();) {
    const std::int64_t job_id = *it;
    const std::uint32_t index = jobs_.Find(job_id);
    if (index != JobTable::kNoJob && jobs_[index].dropped &&
        (jobs_[index].running > 0 || waiting_.AnyOf(job_id))) {
      ++it;
      continue;
    }
    if (index != JobTable::kNoJob && jobs_[index].dropped) {
      Begin();
      catalog::DeleteCheckpoints(job_id, pg::IfBusy::kGiveUp);
      purge_.Expect(job_id, now);
      jobs_.Remove(index);
    }
    ForgetTableChangesOfGone(job_id);
    it = dropped_.erase(it);
  }
  entry_->jobs = static_cast<std::int64_t>(jobs_.size() - dropped_.size());
}

}  // namespace ratchet::scheduler
