// What becomes of runs that ended.
#include <cstring>

#include "catalog/checkpoint.h"
#include "scheduler/run_end.h"
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {
namespace {

// The four texts that a process left on the board, each ended by a zero byte.
catalog::RunError ErrorOn(const board::RunOutcome& outcome) {
  catalog::RunError error;
  error.sqlstate = outcome.sqlstate;
  const char* at = outcome.text;
  const char* end = outcome.text + sizeof(outcome.text);
  for (std::string* text : {&error.message, &error.detail, &error.hint, &error.context}) {
    const std::size_t length = strnlen(at, static_cast<std::size_t>(end - at));
    text->assign(at, length);
    at += length;
    if (at < end) {
      at++;
    }
  }
  return error;
}

// A waiting run that a session holds is looked at again after this time, at the latest.
constexpr std::int64_t kLookAgain = 100'000;

constexpr double kMeanWeight = 0.1;  // of the newest run in the moving average

}  // namespace

RunEnd EndOf(const catalog::RunRecord& record) {
  RunEnd end;
  end.run_id = record.run_id;
  end.version = record.version;
  end.cause = record.cause;
  end.status = record.status;
  end.attempt = record.attempt;
  end.scheduled_at = record.scheduled_at;
  end.started_at = record.started_at;
  end.finished_at = record.finished_at;
  end.dry_run = record.dry_run;
  end.payload = record.payload;
  end.counters = record.counters;
  return end;
}

void Scheduler::TakeEnded(TimestampTz now) {
  std::vector<int> slots;
  board::CollectEnded(entry_, &slots);
  for (const int slot : slots) {
    ended_.push_back(slot);
    Begin();
    HandleEnded(slot, now);
  }
}

void Scheduler::HandleEnded(int slot, TimestampTz now) {
  const board::RunSlot& run = board::Runs()[slot];
  const board::RunTicket& ticket = run.ticket;
  const std::uint32_t index = jobs_.Find(ticket.job_id);
  catalog::RunRecord record = catalog::RecordOf(ticket);
  record.status = run.outcome.status;
  record.started_at = run.started_at;
  record.finished_at = run.outcome.finished_at;
  record.counters = run.outcome.counters;
  record.has_counters = run.started_at != 0;
  record.worker_pid = run.pid;
  if (ticket.has_payload) {
    if (const auto row = catalog::FindQueuedRun(ticket.run_id)) {
      record.payload = row->run.payload;
    }
  }
  if (!run.outcome.recorded) {
    // The process may have died between its commit and its report.
    if (const auto found = catalog::FindRunRecord(ticket.run_id)) {
      record.status = found->status;
      record.finished_at = found->finished_at;
    } else {
      record.error = ErrorOn(run.outcome);
      if (record.status == policy::RunStatus::kCrashed) {
        record.reason = "the process that ran it ended before the run did";
      } else if (run.terminated) {
        record.reason = "ignored being canceled and was terminated";
      }
      catalog::InsertRunRecord(record);
    }
  }
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  const auto flight = flights_.find(ticket.run_id);
  if (flight != flights_.end()) {
    tid = flight->second.queue_tid;
    Role& role = roles_[flight->second.role];
    role.in_flight--;
    if (run.started_at != 0) {
      const auto took = static_cast<double>(run.outcome.finished_at - run.started_at);
      role.mean_run_time += kMeanWeight * (took - role.mean_run_time);
    }
    flights_.erase(flight);
    if (index != JobTable::kNoJob && jobs_[index].running > 0) {
      jobs_[index].running--;
    }
  }
  if (!ticket.foreground) {
    catalog::DeleteQueuedRun(ticket.run_id, &tid);
  }
  recorded_ = true;
  ExpectPurge(ticket.job_id, now);
  if (index != JobTable::kNoJob) {
    RunEnd end = EndOf(record);
    end.lag_known = true;
    end.previous_scheduled_at = ticket.previous_scheduled_at;
    Settle(index, end, now);
  } else {
    catalog::DeleteCheckpoints(ticket.job_id);
  }
}

// The job's standing after a run that is recorded; what is left to do is queued.
void Scheduler::Settle(std::uint32_t index, const RunEnd& end, TimestampTz now) {
  Job& job = jobs_[index];
  const SharedRules& rules = jobs_.RulesOf(job);
  const policy::Standing before{job.consecutive_failures, job.crash_streak, job.backoff_until};
  const bool progressed = end.counters.items_done > 0 || end.counters.batches > 0;
  const double unit = std::uniform_real_distribution<double>(0, 1)(random_);
  const policy::Verdict verdict = policy::AfterRun(
      before, rules.retry,
      {end.status, end.attempt, progressed, end.dry_run, end.finished_at, end.started_at}, unit);

  catalog::JobState& state = StateOf(index);
  statistics_.CountRun(job.job_id, end);
  if (!end.dry_run) {
    state.last_run_id = end.run_id;
    state.last_run_at = end.started_at;
    state.last_finished_at = end.finished_at;
    state.last_status = end.status;
    job.last_finished = end.finished_at;
    if (end.status == policy::RunStatus::kSucceeded) {
      state.last_success_at = end.finished_at;
    }
  }
  if (!(verdict.standing == before)) {
    Unready(index);  // its place in the line depends on it
    constexpr std::int32_t kMost = UINT16_MAX;
    job.consecutive_failures =
        static_cast<std::uint16_t>(std::min(verdict.standing.consecutive_failures, kMost));
    job.crash_streak = static_cast<std::uint16_t>(std::min(verdict.standing.crash_streak, kMost));
    job.backoff_until = verdict.standing.backoff_until;
    job.skip_noted = false;
  }
  if (verdict.again && !(job.end_at != 0 && verdict.again_at > job.end_at) && job.enabled) {
    QueueRetry(job, end, verdict, now);
  }
  ReadyAgain(index, now);
  Reconsider(index, now);
}

void Scheduler::QueueRetry(const Job& job, const RunEnd& end, const policy::Verdict& verdict,
                           TimestampTz now) {
  catalog::QueuedRun retry;
  retry.run_id = catalog::NextRunId();
  retry.job_id = job.job_id;
  retry.owner = job.owner;
  retry.cause = verdict.cause;
  retry.attempt = verdict.next_attempt;
  retry.scheduled_at = end.scheduled_at;
  retry.previous_scheduled_at = end.previous_scheduled_at;
  retry.run_at = verdict.again_at;
  retry.queued_at = now;
  retry.payload = end.payload;
  retry.retry_of = end.run_id;
  ItemPointerData tid;
  catalog::InsertQueuedRun(retry, &tid);
  AddWaiting(std::move(retry), tid);
}

// Ends a run that never started.
void Scheduler::CancelWaiting(std::int64_t run_id, policy::RunStatus status,
                              const std::string& reason, TimestampTz now) {
  const auto found = waiting_.find(run_id);
  if (found == waiting_.end()) {
    return;
  }
  Begin();
  ItemPointerData tid = found->second.tid;
  if (!catalog::LockQueuedRun(&tid)) {
    PutOff(run_id, now + kLookAgain);
    return;
  }
  const auto row = catalog::FindQueuedRun(run_id);
  const std::int64_t job_id = found->second.run.job_id;
  EraseWaiting(run_id);
  if (!row || row->run.claimed_at != 0) {
    return;  // canceled by somebody else in the meantime
  }
  const std::uint32_t index = jobs_.Find(job_id);
  catalog::RunRecord record = catalog::RecordOf(row->run);
  record.job_name = index != JobTable::kNoJob ? jobs_[index].name : NameOfDropped(job_id);
  record.version = index != JobTable::kNoJob ? jobs_[index].version : 0;
  record.status = status;
  record.finished_at = now;
  record.reason = reason;
  if (index != JobTable::kNoJob) {
    Pin(&jobs_[index]);
  }
  catalog::InsertRunRecord(record);
  catalog::DeleteQueuedRun(run_id, &tid);
  recorded_ = true;
  ExpectPurge(job_id, now);
  if (status == policy::RunStatus::kSkipped) {
    statistics_.CountSkipped(job_id, 1);
  }
}

}  // namespace ratchet::scheduler
