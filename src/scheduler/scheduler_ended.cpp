// What becomes of runs that ended.
#include <cstring>

#include "catalog/checkpoint.h"
#include "catalog/committed_work.h"
#include "catalog/run_messages.h"
#include "pg/server_stop.h"
#include "policy/planned_stop.h"
#include "scheduler/run_end.h"
#include "scheduler/scheduler.h"

#include "catalog/numbers.h"

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

std::string_view SqlstateOf(const RunEnd& end) {
  return end.sqlstate != 0 ? unpack_sql_state(end.sqlstate) : std::string_view();
}

// The server stops, and the process of the run could not record it.
bool IsLostByStop(const board::RunSlot& run) {
  return run.outcome.sqlstate == ERRCODE_ADMIN_SHUTDOWN &&
         run.cancel == board::CancelReason::kNotCanceled && !run.terminated &&
         pg::ServerIsStopping();
}

// What has recorded itself has this SQLSTATE on the board for this alone.
bool IsStopped(const board::RunOutcome& outcome) {
  return outcome.recorded && outcome.sqlstate == ERRCODE_ADMIN_SHUTDOWN &&
         !policy::IsFailure(outcome.status);
}

// The postmaster tells one process after the other to stop. Whoever learns of it by the end of a
// run is told within this time, and a run that took the place meanwhile would only be ended, too.
constexpr std::int64_t kToldWithin = 10 * USECS_PER_SEC;

// A waiting run that a session holds is looked at again after this time, at the latest.
constexpr std::int64_t kLookAgain = 100'000;

constexpr double kMeanWeight = 0.1;  // of the newest run in the moving average

}  // namespace

RunEnd EndOf(const catalog::RunRecord& record) {
  RunEnd end;
  end.identity() = record;
  end.status = record.status;
  end.started_at = record.started_at;
  end.finished_at = record.finished_at;
  end.payload = record.payload;
  end.counters = record.counters;
  end.sqlstate = record.error.sqlstate;
  end.by_stop = record.reason == policy::kServerStopped;
  return end;
}

void Scheduler::TakeEnded(TimestampTz now) {
  std::vector<int> slots;
  if (!board::CollectEnded(entry_, &slots)) {
    load_ = true;
  }
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
  catalog::RunRecord record =
      catalog::RecordOf(ticket, ticket.job_name, catalog::PayloadOf(ticket));
  record.status = run.outcome.status;
  // Both by one clock, so that what lies between is what has passed.
  const policy::Moment ended{run.outcome.finished_at, run.ended};
  record.finished_at = ended.wall;
  record.started_at =
      run.started_at != 0 ? policy::OnClockOf(ended, {run.started_at, run.begun}) : 0;
  record.counters = run.outcome.counters;
  record.has_counters = run.started_at != 0;
  record.worker_pid = run.pid;
  if (!run.outcome.recorded && record.status != policy::RunStatus::kSkipped) {
    // The process may have died between its commit and its report.
    if (const auto found = catalog::ReadOwnRunRecord(ticket.run_id, ticket.mark)) {
      record.status = found->status;
      record.finished_at = found->finished_at;
      record.counters = found->counters;
      record.reason = found->reason;
    } else {
      record.error = ErrorOn(run.outcome);
      if (IsLostByStop(run)) {
        record.status = policy::RunStatus::kCanceled;
        record.reason = policy::kServerStopped;
      } else if (record.status == policy::RunStatus::kCrashed) {
        record.reason = "the process that ran it ended before the run did";
      } else if (run.outcome.condition_failed && record.status == policy::RunStatus::kFailed) {
        record.reason = run.terminated
                            ? "only_if could not be evaluated: it ignored being canceled and was "
                              "terminated"
                            : "only_if could not be evaluated";
      } else if (record.status == policy::RunStatus::kCanceled && record.started_at == 0) {
        record.reason = "canceled before it started";
      } else if (run.terminated) {
        record.reason = ticket.is_bound && record.status == policy::RunStatus::kTimedOut
                            ? "exceeded ratchet.max_run_time, ignored being canceled and was "
                              "terminated"
                            : "ignored being canceled and was terminated";
      }
      if (record.status == policy::RunStatus::kCanceled) {
        record.canceled_by = run.canceled_by;
      }
      record.messages = catalog::AsJson(board::MessagesOf(slot, ticket.run_id));
      catalog::AddCommitted(&record);
      catalog::InsertRunRecordAnyway(&record);
    }
  }
  RunEnd end = EndOf(record);
  end.finished_at = policy::OnClockOf(clock_, {record.finished_at, run.ended});
  end.started_at += end.started_at != 0 ? end.finished_at - record.finished_at : 0;
  end.sqlstate = run.outcome.sqlstate;  // also of those that have recorded themselves
  end.by_stop = end.by_stop || IsStopped(run.outcome);
  if (end.by_stop && pg::ServerIsStopping()) {
    starts_again_at_ = clock_.steady + kToldWithin;
  }
  end.own = run.outcome.own;
  EndFlight(slot, index, &end);
  recorded_ = true;
  purge_.Expect(ticket.job_id, now);
  if (index != JobTable::kNoJob && record.status == policy::RunStatus::kSkipped) {
    EndNotNeeded(index, end, now);
  } else if (index != JobTable::kNoJob) {
    // What was due long ago and is done now has not been late.
    end.lag_known = end.replay_of == 0 && end.backfill_id == 0;
    Settle(index, end, now);
  } else {
    catalog::DeleteCheckpoints(ticket.job_id, pg::IfBusy::kGiveUp);
  }
}

// The run is not under way any more: neither for its job and its role, nor in ratchet.run_queue.
void Scheduler::EndFlight(int slot, std::uint32_t index, RunEnd* end) {
  const board::RunSlot& run = board::Runs()[slot];
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  ReleaseMutex(run);
  const auto flight = flights_.find(run.ticket.run_id);
  if (flight != flights_.end()) {
    tid = flight->second.queue_tid;
    end->seen = flight->second.seen;
    Role& role = roles_[flight->second.run.owner];
    role.in_flight--;
    if (run.started_at != 0) {
      const auto took = static_cast<double>(run.ended - run.begun);
      role.mean_run_time += kMeanWeight * (took - role.mean_run_time);
    }
    flights_.erase(flight);
    if (index != JobTable::kNoJob && jobs_[index].running > 0) {
      jobs_[index].running--;
      jobs_[index].past_run = jobs_[index].past_run && jobs_[index].running > 0;
    }
  }
  if (!run.ticket.foreground || run.ticket.has_payload) {
    catalog::DeleteQueuedRun(run.ticket.run_id, run.ticket.mark, &tid);
  }
}

policy::Work Scheduler::WorkOf(const RunEnd& end) {
  if (end.replay_of != 0) {
    return policy::Work::kReplay;
  }
  return end.items_of != 0 ? policy::Work::kItems : policy::Work::kOccurrence;
}

// What follows from a run that is recorded: for the job's standing, and what is left to do.
void Scheduler::Settle(std::uint32_t index, const RunEnd& end, TimestampTz now) {
  Job& job = jobs_[index];
  if (IsOfFormerOwner(job, end)) {
    SettleFormerOwners(index, end, now);
    return;
  }
  const policy::Work work = WorkOf(end);
  const policy::Standing before{job.consecutive_failures, job.crash_streak, job.backoff_until};
  const double unit = std::uniform_real_distribution<double>(0, 1)(random_);
  const policy::Verdict verdict =
      policy::AfterRun(before, RetryRulesOf(job),
                       {end.status, end.attempt, end.Progressed(), end.dry_run, end.finished_at,
                        end.started_at, work, end.counters.items_failed > 0 && !job.queue,
                        policy::RetryClassOf(SqlstateOf(end)), end.by_stop, job.batch},
                       unit);
  if (!job.dropped) {
    if (!end.WasCalledOff()) {
      statistics_.CountRun(job.job_id, end);
    }
    if (work == policy::Work::kOccurrence) {
      TakeStanding(index, end, verdict.standing);
      LearnFromRun(index, end);
      TellOfEnd(index, end, before.consecutive_failures + before.crash_streak > 0);
    }
  }
  // What is done for the past goes on after the job's end, too.
  const bool is_past = work == policy::Work::kReplay || end.backfill_id != 0;
  const bool has_ended = !is_past && job.end_at != 0 && verdict.again_at > job.end_at;
  const bool stands_still = !job.dropped && jobs_.ProblemOf(job) != nullptr;
  // The rest of what was begun waits until a paused job is resumed, and a backfill for all of it.
  const bool waits = work == policy::Work::kReplay ||
                     (!job.dropped && (end.backfill_id != 0 || stands_still ||
                                       verdict.cause == policy::Cause::kCatchup || end.by_stop ||
                                       end.status == policy::RunStatus::kCrashed));
  // Who has asked for it in the foreground has lost the session, and knows.
  const bool is_lost = end.by_stop && end.cause == policy::Cause::kForeground;
  const bool goes_on =
      verdict.again && !is_lost && !has_ended && !job.queue && (job.enabled || waits);
  if (goes_on) {
    QueueRetry(job, end, verdict, now);
  } else if (catalog::EndsWithItsRun(end.walk) && end.status != policy::RunStatus::kSucceeded) {
    catalog::DeleteCheckpoint(job.job_id, end.walk,
                              pg::IfBusy::kGiveUp);  // nobody goes on behind it
  }
  if (verdict.items_too && !has_ended && (job.enabled || stands_still)) {
    policy::Verdict items;
    items.items_only = true;
    items.again_at = verdict.items_at;
    items.next_attempt = verdict.items_attempt;
    QueueRetry(job, end, items, now);
  }
  EndLostRetries(index, now);
  TellChildren(index, end, goes_on, now);
  CallAside(index);
  Reconsider(index, now);
}

void Scheduler::TakeStanding(std::uint32_t index, const RunEnd& end,
                             const policy::Standing& standing) {
  Job& job = jobs_[index];
  catalog::JobState& state = StateOf(index);
  if (!end.dry_run) {
    if (!end.WasCalledOff()) {
      state.last_run_id = end.run_id;
      state.last_run_at = end.started_at;
      state.last_status = end.status;
    }
    state.last_finished_at = end.finished_at;
    job.last_finished = end.finished_at;  // from which `after completion` counts
    if (end.status == policy::RunStatus::kSucceeded) {
      state.last_success_at = end.finished_at;
    }
    const bool is_empty = end.counters.items_done + end.counters.items_failed == 0 &&
                          (job.batch || end.counters.wal_bytes == 0);
    job.CountEmptyRun(is_empty);
  }
  const policy::Standing before{job.consecutive_failures, job.crash_streak, job.backoff_until};
  if (!(standing == before)) {
    Unready(index);  // its place in the line depends on it
    constexpr std::int32_t kMost = UINT16_MAX;
    jobs_.SetFailures(index, standing.consecutive_failures);
    job.crash_streak = static_cast<std::uint16_t>(std::min(standing.crash_streak, kMost));
    job.backoff_until = standing.backoff_until;
    job.skip_noted = false;
  }
}

// What is carried on keeps its checkpoint, and what is tried again for its failed items has another
// walk to do.
void Scheduler::QueueRetry(const Job& job, const RunEnd& end, const policy::Verdict& verdict,
                           TimestampTz now) {
  catalog::QueuedRun retry;
  retry.identity() = end;
  retry.Give(end.payload);
  catalog::NumberRun(&retry);
  if (end.replay_of == 0) {
    retry.version = 0;
    retry.owner = job.owner;
  }
  retry.cause = verdict.cause;
  retry.attempt = verdict.next_attempt;
  retry.run_at = verdict.again_at;
  retry.queued_at = now;
  retry.retry_of = end.run_id;
  retry.walk_began = 0;
  retry.walk = verdict.items_only ? retry.run_id : end.walk;
  retry.items_of = verdict.items_only && end.items_of == 0 ? end.run_id : end.items_of;
  // A backfill waits for what belongs to it: failed items hold up nothing.
  retry.backfill_id = retry.items_of == 0 ? end.backfill_id : 0;
  if (verdict.items_only || JoinsWalk(job, end, &retry)) {
    Queue(std::move(retry));
  }
}

// Ends a run that never started.
void Scheduler::CancelWaiting(std::int64_t run_id, policy::RunStatus status,
                              const std::string& reason, TimestampTz now) {
  const WaitingRuns::Run* waiting = waiting_.Find(run_id);
  if (waiting == nullptr) {
    return;
  }
  Begin();
  ItemPointerData tid = waiting->tid;
  if (!catalog::LockQueuedRun(run_id, &tid)) {
    PutOff(run_id, now + kLookAgain);
    return;
  }
  const auto row = catalog::FindQueuedRun(run_id);
  const std::int64_t job_id = waiting->run.job_id;
  Withdraw(run_id);
  if (!row || row->run.claimed_at != 0) {
    return;  // canceled by somebody else in the meantime
  }
  const std::uint32_t index = jobs_.Find(job_id);
  catalog::RunRecord record = catalog::RecordOf(row->run, {}, row->run.payload);
  if (index != JobTable::kNoJob) {
    record.job_name = TermsOf(jobs_[index], row->run).job_name;
    record.version = row->run.version != 0 ? row->run.version : jobs_[index].version;
  } else {
    record.job_name = NameOfDropped(job_id);
  }
  if (catalog::EndsWithItsRun(row->run.walk)) {
    catalog::DeleteCheckpoint(job_id, row->run.walk, pg::IfBusy::kGiveUp);
  }
  record.status = status;
  record.finished_at = now;
  record.reason = reason;
  if (index != JobTable::kNoJob && row->run.version == 0) {
    Pin(&jobs_[index]);
  }
  catalog::InsertRunRecordAnyway(&record);
  catalog::DeleteQueuedRun(run_id, row->run.mark, &tid);
  recorded_ = true;
  purge_.Expect(job_id, now);
  if (status == policy::RunStatus::kSkipped) {
    statistics_.CountSkipped(job_id, 1);
  }
}

}  // namespace ratchet::scheduler
