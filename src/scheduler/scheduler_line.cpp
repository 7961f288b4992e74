// The lines in which ready work waits for its turn, one for each role.
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {

Scheduler::ReadyKey Scheduler::KeyOf(const Job& job, std::int64_t run_id, std::int64_t due) const {
  return {job.failing(), job.priority, due, job.job_id, run_id};
}

// An occurrence (run_id 0) or a waiting run gets in line.
void Scheduler::MakeReady(std::uint32_t index, std::int64_t run_id, std::int64_t due) {
  Job& job = jobs_[index];
  if (run_id == 0) {
    job.ready = true;
    job.ready_due = due;
    jobs_.SetDue(index, calendar::kNever);
    roles_[job.owner].ready.insert(KeyOf(job, 0, due));
  } else {
    Waiting& waiting = waiting_[run_id];
    waiting.ready = true;
    roles_[OwnerOf(job, waiting.run)].ready.insert(KeyOf(job, run_id, due));
  }
}

// The job leaves the line with all that it has there: its place in it is about to change.
void Scheduler::Unready(std::uint32_t index) {
  Job& job = jobs_[index];
  if (job.ready) {
    LeaveLine(job, job.owner, KeyOf(job, 0, job.ready_due));
    job.ready = false;
  }
  const auto runs = waiting_of_job_.find(job.job_id);
  if (runs == waiting_of_job_.end()) {
    return;
  }
  for (const std::int64_t run_id : runs->second) {
    Waiting& waiting = waiting_[run_id];
    if (waiting.ready) {
      LeaveLine(job, OwnerOf(job, waiting.run), KeyOf(job, run_id, waiting.run.run_at));
      waiting.ready = false;
    }
  }
}

// It is in one of the two: its role's, or that of the mutex for which it waits.
void Scheduler::LeaveLine(const Job& job, Oid role_id, const ReadyKey& turn) {
  roles_[role_id].ready.erase(turn);
  mutexes_.Leave(job.mutex, {role_id, turn});
}

// Waiting runs of the job whose time has come get in line: they had left it, or waited for its run.
void Scheduler::ReadyAgain(std::uint32_t index, TimestampTz now) {
  const auto runs = waiting_of_job_.find(jobs_[index].job_id);
  if (runs == waiting_of_job_.end()) {
    return;
  }
  for (const std::int64_t run_id : runs->second) {
    const Waiting& waiting = waiting_[run_id];
    if (!waiting.ready && waiting.run.run_at <= now) {
      MakeReady(index, run_id, waiting.run.run_at);
    }
  }
}

// The run leaves the line, and gets in again later.
void Scheduler::PutOff(std::int64_t run_id, TimestampTz until) {
  waiting_[run_id].ready = false;
  later_.emplace(until, run_id);
}

void Scheduler::EraseWaiting(std::int64_t run_id) {
  const auto found = waiting_.find(run_id);
  ChangeRunLeaves(found->second.run);
  const auto runs = waiting_of_job_.find(found->second.run.job_id);
  runs->second.erase(run_id);
  if (runs->second.empty()) {
    waiting_of_job_.erase(runs);
  }
  waiting_.erase(found);
}

}  // namespace ratchet::scheduler
