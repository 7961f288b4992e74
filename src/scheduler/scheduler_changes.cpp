// Runs that change triggers ask for: see board/change_board.h for why none is lost.
#include "scheduler/scheduler.h"

#include "catalog/numbers.h"
#include "pg/clock.h"

#include "board/change_board.h"
#include "catalog/change_trigger.h"
#include "catalog/job.h"
#include "catalog/role_rights.h"

namespace ratchet::scheduler {

// What is asked for on the board, and no run waits for. Before that, if nobody has been there since
// the server started: what may have changed meanwhile.
void Scheduler::LoadTableChanges(TimestampTz now) {
  if (quarantined_) {
    return;
  }
  if (!entry_->changes_swept || board::TheBoard()->changed_jobs_full) {
    SweepChangeTriggers(now);
    const bool prepared = catalog::HasPreparedTransactions();
    const board::Lock lock;
    entry_->changes_swept = true;
    entry_->prepared_changes = entry_->prepared_changes || prepared;
  }
  ForgetTableChangesOfGone(0);
  LookForTableChanges(0, now);
}

// A change that was committed before the server stopped or crashed may not have been served: every
// job with a change trigger shall run. It is asked for on the board, where an error of this
// transaction does not undo it; what finds no place there is queued here.
void Scheduler::SweepChangeTriggers(TimestampTz now) {
  std::vector<catalog::ChangeTrigger> triggers;
  catalog::FindChangeTriggers(InvalidOid, &triggers);
  for (const catalog::ChangeTrigger& trigger : triggers) {
    const catalog::ChangeTarget& target = trigger.target;
    // Triggers stay on their tables when the job is dropped.
    if (!trigger.enabled || jobs_.Find(target.job_id) == JobTable::kNoJob) {
      continue;
    }
    const board::Change change{board::Change::kTableChange, target.job_id, target.job_born,
                               target.made_by, clock_.steady};
    if (!board::AskForRunOnChange(MyDatabaseId, change)) {
      RunOnChange(change, now);
    }
  }
}

// Of one job, or of all of them (0).
void Scheduler::LookForTableChanges(std::int64_t job_id, TimestampTz now) {
  std::vector<board::Change> changes;
  board::ListTableChanges(entry_->database, job_id, &changes);
  for (const board::Change& change : changes) {
    RunOnChange(change, now);
  }
}

// Who has made the trigger may not manage the job any more. That is recorded once, however often
// the trigger fires.
bool Scheduler::IsRefused(const board::Change& change, TimestampTz now) {
  const std::uint32_t index = jobs_.Find(change.id);
  if (index == JobTable::kNoJob || jobs_[index].dropped || quarantined_) {
    return false;
  }
  Job& job = jobs_[index];
  Begin();
  if (catalog::MayManageJobsOf(change.made_by, job.owner)) {
    refused_makers_.erase({change.id, change.made_by});
    return false;
  }
  board::ClearTableChangeBy(entry_->database, change.id, change.made_by);
  const auto definition = catalog::FindJob(change.id);
  if (definition && definition->created_at == change.job_born &&
      refused_makers_.emplace(change.id, change.made_by).second) {
    catalog::RunRecord record = SkipRecordOf(&job, now);
    record.cause = policy::Cause::kTrigger;
    record.scheduled_at = now;
    record.reason =
        "a table has changed, but who has made its change trigger may not manage the job any more";
    catalog::InsertRunRecord(record);
    recorded_ = true;
    purge_.Expect(job.job_id, now);
  }
  return true;
}

// Of one job, or of all of them (0): the board's place is for others, where the table says that the
// job is not there any more, or is another one. The picture alone would not do: it may not have
// heard yet of a job that is new.
void Scheduler::ForgetTableChangesOfGone(std::int64_t job_id) {
  std::vector<board::Change> known;
  board::ListChangedJobs(entry_->database, job_id, &known);
  for (const board::Change& change : known) {
    const std::uint32_t index = jobs_.Find(change.id);
    if (job_id == 0 && index != JobTable::kNoJob && !jobs_[index].dropped) {
      continue;
    }
    Begin();
    const auto definition = catalog::FindJob(change.id);
    if (!definition || definition->created_at != change.job_born) {
      board::ForgetChangedJob(entry_->database, change.id, change.job_born);
    }
  }
}

// A change of a job that is paused or of another environment stays asked for: it runs when that is
// over (RefreshJob, Load). One of a job that is not there, or is another one, is of no interest.
void Scheduler::RunOnChange(const board::Change& change, TimestampTz now) {
  if (IsRefused(change, now)) {
    return;
  }
  const TimestampTz due = now + (change.due - clock_.steady);
  if (const WaitingRuns::Run* known = waiting_.ChangeRunOf(change.id)) {
    if (known->place == Place::kOut && due < known->run.run_at) {
      waiting_.LookAt(known->run.run_id, due);
    }
    return;
  }
  const std::uint32_t index = jobs_.Find(change.id);
  if (index == JobTable::kNoJob || jobs_[index].dropped) {
    ForgetTableChangesOfGone(change.id);
    return;
  }
  if (!jobs_[index].enabled || !jobs_[index].here || jobs_[index].quarantined || quarantined_) {
    return;
  }
  Begin();
  const auto definition = catalog::FindJob(change.id);
  if (!definition || definition->created_at != change.job_born) {
    board::ForgetChangedJob(entry_->database, change.id, change.job_born);
    return;
  }
  catalog::QueuedRun run;
  catalog::NumberRun(&run);
  run.job_id = change.id;
  run.owner = jobs_[index].owner;
  run.cause = policy::Cause::kTrigger;
  run.scheduled_at = due;
  run.run_at = due;
  run.queued_at = now;
  run.on_change = true;
  Queue(std::move(run));
}

// It is about to be claimed, or was canceled: what commits from now on asks for another run.
void Scheduler::ChangeRunLeaves(const catalog::QueuedRun& run) {
  if (run.on_change) {
    board::ClearTableChange(entry_->database, run.job_id);
  }
}

}  // namespace ratchet::scheduler
