// The lines in which ready work waits for its turn, one for each role.
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {
namespace {

// Some more than one, so that a replay as a role that has no room does not hold up the others.
constexpr std::size_t kMostInLine = 64;

}  // namespace

policy::Turn Scheduler::KeyOf(const Job& job, std::int64_t run_id, std::int64_t due) const {
  return {job.failing(), job.priority, due, job.job_id, run_id};
}

// The occurrence that is due.
void Scheduler::MakeReady(std::uint32_t index, std::int64_t due) {
  Job& job = jobs_[index];
  job.ready = true;
  job.ready_due = due;
  jobs_.SetDue(index, calendar::kNever);
  roles_[job.owner].ready.Insert(KeyOf(job, 0, due));
}

// A waiting run whose time has come. Of each job some are in line, so that it costs the same to
// move a job in it, or to let one of its runs pass, whether ten or a million of them wait.
void Scheduler::GetInLine(std::uint32_t index, std::int64_t run_id) {
  const Job& job = jobs_[index];
  const catalog::QueuedRun& run = waiting_.At(run_id).run;
  if (waiting_.Of(job.job_id).in_line.size() >= kMostInLine) {
    waiting_.SetPlace(run_id, Place::kAside);
    return;
  }
  waiting_.SetPlace(run_id, Place::kInLine);
  roles_[OwnerOf(job, run)].ready.Insert(KeyOf(job, run_id, run.run_at));
}

// A run of the job has ended, or one that was in line has left it: who stands aside may have a
// turn.
void Scheduler::CallAside(std::uint32_t index) {
  if (index == JobTable::kNoJob) {
    return;
  }
  const Job& job = jobs_[index];
  std::size_t room = kMostInLine;
  if (job.overlap != catalog::Overlap::kAllow) {
    room = job.running > 0 ? 0 : 1;
  }
  const WaitingRuns::OfJob& runs = waiting_.Of(job.job_id);
  while (!runs.aside.empty() && runs.in_line.size() < room) {
    GetInLine(index, runs.aside.begin()->second);
  }
}

// The job leaves the line with all that it has there: its place in it is about to change.
void Scheduler::Unready(std::uint32_t index) {
  Job& job = jobs_[index];
  if (job.ready) {
    LeaveLine(job, job.owner, KeyOf(job, 0, job.ready_due));
    job.ready = false;
  }
  const std::set<std::int64_t> in_line = waiting_.Of(job.job_id).in_line;
  for (const std::int64_t run_id : in_line) {
    LeaveLine(index, waiting_.At(run_id).run);
    waiting_.SetPlace(run_id, Place::kAside);
  }
}

// It is in one of the two: its role's, or that of the mutex for which it waits.
void Scheduler::LeaveLine(const Job& job, Oid role_id, const policy::Turn& turn) {
  roles_[role_id].ready.Erase(turn);
  mutexes_.Leave(job.mutex, {role_id, turn});
}

void Scheduler::LeaveLine(std::uint32_t index, const catalog::QueuedRun& run) {
  const Job& job = jobs_[index];
  LeaveLine(job, OwnerOf(job, run), KeyOf(job, run.run_id, run.run_at));
}

// The job may have been paused before: those of its runs whose time has come get in line.
void Scheduler::ReadyAgain(std::uint32_t index, TimestampTz now) {
  for (const std::int64_t run_id : waiting_.Of(jobs_[index].job_id).all) {
    const WaitingRuns::Run& waiting = waiting_.At(run_id);
    if (waiting.place == Place::kOut && waiting.run.run_at <= now) {
      GetInLine(index, run_id);
    }
  }
  CallAside(index);
}

// The run has had its turn for nothing, and waits for what will wake it.
void Scheduler::StepOut(std::int64_t run_id) {
  waiting_.SetPlace(run_id, Place::kOut);
  CallAside(jobs_.Find(waiting_.At(run_id).run.job_id));
}

// The same, and it gets in line again later.
void Scheduler::PutOff(std::int64_t run_id, TimestampTz until) {
  waiting_.LookAt(run_id, until);
  StepOut(run_id);
}

// The run will not start at all.
void Scheduler::Withdraw(std::int64_t run_id) {
  const catalog::QueuedRun& run = waiting_.At(run_id).run;
  const std::uint32_t index = jobs_.Find(run.job_id);
  if (index != JobTable::kNoJob) {
    LeaveLine(index, run);
  }
  EraseWaiting(run_id);
  CallAside(index);
}

void Scheduler::EraseWaiting(std::int64_t run_id) {
  ChangeRunLeaves(waiting_.At(run_id).run);
  waiting_.Erase(run_id);
}

}  // namespace ratchet::scheduler
