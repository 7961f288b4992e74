// What is due, and what is left out.
#include <algorithm>

#include "scheduler/scheduler.h"

#include "catalog/numbers.h"

#include "pg/settings.h"

namespace ratchet::scheduler {
namespace {

std::string Local(TimestampTz at) {
  std::string text;
  pg::Call([&] { text = timestamptz_to_str(at); });
  return text;
}

}  // namespace

policy::JobPlan Scheduler::PlanOf(const Job& job) const {
  policy::JobPlan plan = jobs_.PlanOf(job);
  plan.is_child = !dependencies_.empty() && dependencies_.IsChild(job.job_id);
  if (plan.is_child) {
    plan.parents_ready = dependencies_.IsReady(job.job_id);
    plan.ready_since = dependencies_.ReadySince(job.job_id);
  }
  return plan;
}

// Sets the instant at which something is to be done about the job next.
void Scheduler::Reconsider(std::uint32_t index, TimestampTz now) {
  Job& job = jobs_[index];
  if (backfills_.contains(job.job_id)) {
    LookAtBackfills(job.job_id, now);
  }
  if (!job.ready) {
    jobs_.SetDue(index, quarantined_ ? calendar::kNever : PlanOf(job).LookAt(now));
  }
}

// What the user is told: the next start as far as it is known now. Of a paused job the views hide
// it: once it is resumed they have something to tell before this process comes to it.
TimestampTz Scheduler::NextRunAt(const Job& job) const {
  policy::JobPlan plan = jobs_.PlanOf(job);
  plan.enabled = true;
  const calendar::Instant next =
      quarantined_ || job.quarantined ? calendar::kNever : plan.NextStart();
  return next == calendar::kNever ? 0 : next;
}

void Scheduler::TakeDue(TimestampTz now) {
  while (jobs_.FirstDue() <= now) {
    AtDue(jobs_.FirstJob(), now);
  }
  while (const auto run_id = waiting_.TakeLook(now)) {
    const std::uint32_t index = jobs_.Find(waiting_.At(*run_id).run.job_id);
    if (index == JobTable::kNoJob) {
      CallOff(*run_id, now);
    } else {
      GetInLine(index, *run_id);
    }
  }
}

void Scheduler::AtDue(std::uint32_t index, TimestampTz now) {
  while (true) {
    Job& job = jobs_[index];
    const policy::Step step = PlanOf(job).NextStep(now);
    switch (step.kind) {
      case policy::Step::Kind::kWait:
        Reconsider(index, now);
        return;
      case policy::Step::Kind::kSkip:
        Skip(index, step, ReasonOf(job, step.reason), now);
        job.skip_noted = job.skip_noted || step.is_first;
        break;
      case policy::Step::Kind::kReady:
        ParentsHaveSucceeded(&job);
        MakeReady(index, step.until);
        return;
    }
  }
}

std::string Scheduler::ReasonOf(const Job& job, policy::SkipReason reason) {
  switch (reason) {
    case policy::SkipReason::kEnvironment:
      return "not meant for environment \"" + environment_ + "\"";
    case policy::SkipReason::kBackOff:
      return "in back-off until " + Local(job.backoff_until) + " after " +
             std::to_string(job.consecutive_failures) + " consecutive failure" +
             (job.consecutive_failures == 1 ? "" : "s");
    case policy::SkipReason::kRunning:
      return BlockingRun(job);
    case policy::SkipReason::kParents:
      return ReasonOfParents(job);
    case policy::SkipReason::kClosed:
      return "outside of the active window";
    case policy::SkipReason::kMissed:
      break;
  }
  return "missed: could not start in time (misfire policy)";
}

std::string Scheduler::BlockingRun(const Job& job) const {
  for (const auto& [run_id, flight] : flights_) {
    if (flight.run.job_id == job.job_id) {
      const auto live = board::FindRun(entry_->database, run_id);
      return "already running: run " + std::to_string(run_id) +
             (live && live->pid != 0 ? " (pid " + std::to_string(live->pid) + ")" : "");
    }
  }
  return "already running";
}

// Settles the job's next occurrences, up to step.until: they do not run, for this reason or because
// they lie outside of its window.
void Scheduler::Skip(std::uint32_t index, const policy::Step& step, const std::string& reason,
                     TimestampTz now) {
  RecordClosed(index, step.closed, now);
  RecordSkipped(index, step.count, step.first, step.until, reason, now);
  TellOfMissed(index, step, reason, now);
  jobs_[index].watermark = step.until;
}

void Scheduler::RecordClosed(std::uint32_t index, const calendar::ClosedOccurrences& closed,
                             TimestampTz now) {
  if (closed.count > 0) {
    RecordSkipped(index, closed.count, closed.first, closed.last,
                  ReasonOf(jobs_[index], policy::SkipReason::kClosed), now);
  }
}

// Of something that does not run; the cause, the logical time and the reason are for the caller.
catalog::RunRecord Scheduler::SkipRecordOf(Job* job, TimestampTz now) {
  Begin();
  Pin(job);
  catalog::RunRecord record;
  catalog::NumberRun(&record);
  record.job_id = job->job_id;
  record.job_name = job->name;
  record.owner = job->owner;
  record.version = job->version;
  record.status = policy::RunStatus::kSkipped;
  record.queued_at = now;
  record.finished_at = now;
  return record;
}

void Scheduler::RecordSkipped(std::uint32_t index, std::int64_t count, TimestampTz first,
                              TimestampTz last, const std::string& reason, TimestampTz now) {
  Job& job = jobs_[index];
  catalog::RunRecord record = SkipRecordOf(&job, now);
  record.cause = policy::Cause::kSchedule;
  record.scheduled_at = last;
  record.occurrences = count;
  record.reason = reason;
  if (count > 1) {
    record.reason += "; " + std::to_string(count) + " occurrences since " + Local(first);
  }
  catalog::InsertRunRecord(record);
  StateOf(index);
  statistics_.CountSkipped(job.job_id, count);
  purge_.Expect(job.job_id, now);
}

}  // namespace ratchet::scheduler
