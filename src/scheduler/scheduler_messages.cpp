// What alerts, deadlines and heartbeats are told: here the scheduler says what has happened, and
// the desk (message_desk.h) what becomes of it.
#include <algorithm>

#include "calendar/instant.h"
#include "catalog/job_stat.h"
#include "policy/job_day.h"
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {
namespace {

// What is late, or running towards its deadline, is looked at so often; microseconds.
constexpr std::int64_t kLateLook = 30 * USECS_PER_SEC;
constexpr std::int64_t kRunningLook = 10 * USECS_PER_SEC;

bool IsOccurrence(const policy::RunIdentity& run) {
  return !run.dry_run && run.replay_of == 0 && run.items_of == 0 && run.backfill_id == 0;
}

}  // namespace

void Scheduler::Watch(std::uint32_t index, const catalog::JobDefinition& definition) {
  watched_.Set(definition);
  jobs_[index].watched = messages_.Watches(definition);
  if (definition.deadline == 0) {
    timed_.erase(definition.job_id);
  } else {
    timed_[definition.job_id] = {definition.deadline, 0};
    next_deadline_ = 0;
  }
}

void Scheduler::Unwatch(std::int64_t job_id, TimestampTz now) {
  timed_.erase(job_id);
  messages_.JobGone(job_id, now);
}

// Other alerts may be about other jobs.
void Scheduler::WatchAgain(TimestampTz now) {
  messages_.Read(now);
  catalog::ScanJobs(
      [](void* context, const catalog::JobDefinition& definition) {
        auto* self = static_cast<Scheduler*>(context);
        const std::uint32_t index = self->jobs_.Find(definition.job_id);
        if (index != JobTable::kNoJob) {
          self->jobs_[index].watched = self->messages_.Watches(definition);
        }
      },
      this);
  for (auto& [job_id, timed] : timed_) {
    timed.look_at = 0;
  }
  next_deadline_ = 0;
}

// When there is something to do, runs aside.
TimestampTz Scheduler::NextMessageLook(const policy::Moment& now) const {
  return quarantined_ || load_ ? calendar::kNever
                               : std::min(next_deadline_, messages_.NextLook(now));
}

// A run of the job was asked for, begins or has ended.
void Scheduler::LookAtDeadlineOf(std::int64_t job_id) {
  const auto timed = timed_.find(job_id);
  if (timed != timed_.end()) {
    timed->second.look_at = 0;
    next_deadline_ = 0;
  }
}

// In a copy of the database nothing is said.
void Scheduler::ServeMessages(TimestampTz now) {
  if (quarantined_) {
    return;
  }
  for (const board::Change& change : changes_) {
    const WaitingRuns::Run* waiting =
        change.kind == board::Change::kRun && !timed_.empty() ? waiting_.Find(change.id) : nullptr;
    if (waiting != nullptr) {
      LookAtDeadlineOf(waiting->run.job_id);
    }
  }
  const bool is_changed = std::any_of(changes_.begin(), changes_.end(), [](const auto& change) {
    return change.kind == board::Change::kMessages;
  });
  if (is_changed) {
    Begin();
    messages_.Speak(now);
    WatchAgain(now);
  }
  if (next_deadline_ <= now) {
    Begin();
    LookAtDeadlines(now);
  }
  if (messages_.HasWork(clock_)) {
    Begin();
    messages_.LookAround(clock_);
    messages_.Speak(now);
  }
}

// ---- Runs
// ----------------------------------------------------------------------------------------

void Scheduler::TellOfEnd(std::uint32_t index, const RunEnd& end, bool was_failing) {
  const Job& job = jobs_[index];
  if (job.heard && IsOccurrence(end)) {
    BeatAtEnd(end, end.finished_at);
  }
  LookAtDeadlineOf(job.job_id);
  if (job.watched && !end.dry_run && !end.WasCalledOff()) {
    messages_.RunEnded(end, {std::max<std::int32_t>(job.consecutive_failures, job.crash_streak),
                             was_failing, NextRunAt(job)});
  }
}

// One for which it is not the time, or not the place, is not missed; and that of a job that rests
// after failures, or waits for others, is told of by those.
void Scheduler::TellOfMissed(std::uint32_t index, const policy::Step& step,
                             const std::string& reason, TimestampTz now) {
  const Job& job = jobs_[index];
  if (job.watched &&
      (step.reason == policy::SkipReason::kRunning || step.reason == policy::SkipReason::kMissed)) {
    messages_.RunMissed({job.job_id, step.until, 0, reason}, now);
  }
}

void Scheduler::BeatAtStart(std::uint32_t index, const catalog::QueuedRun& run, TimestampTz now) {
  LookAtDeadlineOf(run.job_id);
  if (!jobs_[index].heard || !IsOccurrence(run)) {
    return;
  }
  const auto definition = catalog::FindJob(run.job_id);
  if (definition && !definition->heartbeat.empty()) {
    messages_.Heartbeat({&*definition, "start", &run, now, 0, {}}, now);
  }
}

void Scheduler::BeatAtEnd(const RunEnd& end, TimestampTz now) {
  const auto definition = catalog::FindJob(end.job_id);
  if (!definition || definition->heartbeat.empty()) {
    return;
  }
  const bool is_well =
      end.status == policy::RunStatus::kSucceeded || end.status == policy::RunStatus::kPartial;
  std::string error;
  if (!is_well) {
    const auto record = catalog::ReadOwnRunRecord(end.run_id, end.mark);
    error = record ? (record->error.message.empty() ? record->reason : record->error.message) : "";
  }
  messages_.Heartbeat({&*definition, is_well ? "success" : "failure", &end, end.started_at,
                       end.finished_at, std::move(error)},
                      now);
}

// ---- Deadlines
// -----------------------------------------------------------------------------------

void Scheduler::LookAtDeadlines(TimestampTz now) {
  next_deadline_ = calendar::kNever;
  for (auto& [job_id, timed] : timed_) {
    const std::uint32_t index = timed.look_at <= now ? jobs_.Find(job_id) : JobTable::kNoJob;
    if (index != JobTable::kNoJob) {
      timed.look_at = LookAtDeadline(index, timed.deadline, now);
    } else if (timed.look_at <= now) {
      timed.look_at = calendar::kNever;
    }
    next_deadline_ = std::min(next_deadline_, timed.look_at);
  }
}

// The oldest occurrence of the job that is under way, waits, or comes next.
void Scheduler::FindUnfinished(const Job& job, MessageDesk::Deadline* oldest) const {
  const auto consider = [oldest](TimestampTz scheduled_at, std::int64_t run_id) {
    if (oldest->scheduled_at == 0 || scheduled_at < oldest->scheduled_at) {
      oldest->scheduled_at = scheduled_at;
      oldest->run_id = run_id;
    }
  };
  for (const auto& [run_id, flight] : flights_) {
    if (flight.run.job_id == job.job_id && IsOccurrence(flight.run)) {
      consider(flight.run.scheduled_at, run_id);
    }
  }
  for (const std::int64_t run_id : waiting_.Of(job.job_id).all) {
    if (IsOccurrence(waiting_.At(run_id).run)) {
      consider(waiting_.At(run_id).run.scheduled_at, 0);
    }
  }
  const TimestampTz next = job.enabled ? NextRunAt(job) : 0;
  if (next != 0) {
    consider(next, 0);
  }
}

// When to look again.
TimestampTz Scheduler::LookAtDeadline(std::uint32_t index, std::int64_t span, TimestampTz now) {
  const Job& job = jobs_[index];
  MessageDesk::Deadline oldest{job.job_id, 0, 0, 0, 0};
  FindUnfinished(job, &oldest);
  if (oldest.scheduled_at == 0) {
    messages_.InTime(job.job_id, now);
    return calendar::kNever;
  }
  oldest.deadline = oldest.scheduled_at + span;
  if (!job.watched) {
    return std::max(oldest.deadline, now + kLateLook);
  }
  if (oldest.scheduled_at > now) {
    messages_.InTime(job.job_id, now);
    return oldest.deadline;
  }
  catalog::JobStat stat;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  if (catalog::FindJobStat(job.job_id, &tid, &stat)) {
    const auto usual = policy::JobDay::Decode(stat.day).Summarize(now);
    const TimestampTz begun = oldest.run_id != 0 ? job.claimed_at : now;
    oldest.expected = usual.runs > 0 ? std::max(begun + usual.median_duration, now) : 0;
  }
  messages_.LookAtDeadline(oldest, now);
  return now >= oldest.deadline ? now + kLateLook : std::min(oldest.deadline, now + kRunningLook);
}

}  // namespace ratchet::scheduler
