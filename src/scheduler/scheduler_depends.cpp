// Jobs that depend on others: what policy::DependencyGraph says, in tables and lines.
//
//   a parent's run is settled ─▶ its success or failure is told to its children (TellChildren)
//   a child becomes ready     ─▶ without a schedule of its own a run is queued for it; with one,
//   the
//                                occurrence that waits gets in line (StartChildren)
//   a run of a child is claimed ─▶ what its parents did before is used up (NoteChildStarts)
//
// All of it is in the transaction that settles the parent's run, or claims the child's one.
#include <algorithm>

#include "scheduler/scheduler.h"

#include "catalog/numbers.h"

#include "catalog/run_log.h"
#include "policy/dependency_words.h"

namespace ratchet::scheduler {
namespace {

// Replays and what is done again for failed items are no runs for what depends on the job, nor for
// what it depends on.
bool Counts(const catalog::QueuedRun& run) {
  return run.replay_of == 0 && run.items_of == 0 && !run.dry_run;
}

// It was queued because the job's parents have succeeded, and was not tried before.
bool Follows(const catalog::QueuedRun& run) {
  return run.cause == policy::Cause::kDependency && run.retry_of == 0 && run.replay_of == 0;
}

std::int64_t SinceIn(const catalog::JobState& state, TimestampTz created_at) {
  return state.depends_since != 0 ? state.depends_since
                                  : std::max<std::int64_t>(state.last_run_at, created_at);
}

}  // namespace

// ---- What there is

void Scheduler::LoadDependencies(const catalog::JobDefinition& definition) {
  if (!definition.depends_on.empty()) {
    dependencies_.SetParents(definition.job_id, definition.depends_on, definition.created_at);
    children_to_look_at_.insert(definition.job_id);
  }
}

// All of the jobs are there now.
void Scheduler::BindParents() {
  for (std::uint32_t i = 0; !dependencies_.empty() && i < jobs_.end(); i++) {
    if (jobs_[i].alive) {
      dependencies_.Bind(jobs_[i].job_id, jobs_[i].name);
    }
  }
}

void Scheduler::LoadDependencyState(const catalog::JobState& state) {
  if (dependencies_.empty()) {
    return;
  }
  if (dependencies_.IsChild(state.job_id)) {
    dependencies_.SetSince(state.job_id, SinceIn(state, dependencies_.SinceOf(state.job_id)));
  }
  dependencies_.SetSuccess(state.job_id, state.last_success_at);
}

void Scheduler::RefreshDependencies(std::uint32_t index, const catalog::JobDefinition& definition) {
  const std::int64_t job_id = definition.job_id;
  const bool was_child = dependencies_.IsChild(job_id);
  if (definition.depends_on.empty()) {
    if (was_child) {
      dependencies_.RemoveChild(job_id);
      gate_reasons_.erase(job_id);
      StateOf(index).depends_since = 0;
    }
  } else {
    catalog::JobState& state = StateOf(index);
    dependencies_.SetParents(job_id, definition.depends_on, SinceIn(state, definition.created_at));
    state.depends_since = dependencies_.SinceOf(job_id);
    for (const std::string& name : definition.depends_on) {
      if (dependencies_.JobOf(name) == 0) {
        FindParent(name);
      }
    }
    children_to_look_at_.insert(job_id);
  }
  if (dependencies_.Bind(job_id, definition.job_name)) {
    dependencies_.SetSuccess(job_id, StateForClaim(index).last_success_at);
    LookAtChildrenOf(job_id);
  }
}

// A session commits the record of its run itself, and may do so just before a crash: then the
// job's state does not know of it. Runs of workers have their row in ratchet.run_queue, which
// tells.
void Scheduler::FindLostSuccesses() {
  for (std::uint32_t i = 0; !dependencies_.empty() && i < jobs_.end(); i++) {
    const std::int64_t job_id = jobs_[i].job_id;
    if (!jobs_[i].alive || !dependencies_.IsParent(job_id)) {
      continue;
    }
    const catalog::JobState& known = StateForClaim(i);
    const auto success = catalog::FindNewestSuccess(job_id, known.last_run_id);
    if (success && success->finished_at > known.last_success_at) {
      StateOf(i).last_success_at = success->finished_at;
      dependencies_.SetSuccess(job_id, success->finished_at);
      success_scheduled_at_[job_id] = success->scheduled_at;
    }
  }
}

// A job that is about to be somebody's first child's parent. One that we do not know yet is bound
// when the notice of it is here.
void Scheduler::FindParent(const std::string& name) {
  const auto definition = catalog::FindJobByName(name);
  const std::uint32_t index = definition ? jobs_.Find(definition->job_id) : JobTable::kNoJob;
  if (index != JobTable::kNoJob && dependencies_.Bind(definition->job_id, name)) {
    dependencies_.SetSuccess(definition->job_id, StateForClaim(index).last_success_at);
  }
}

// Its children stay, and wait for another job of its name.
void Scheduler::ForgetDependencies(std::int64_t job_id) {
  dependencies_.RemoveChild(job_id);
  dependencies_.Unbind(job_id);
  gate_reasons_.erase(job_id);
  success_scheduled_at_.erase(job_id);
}

void Scheduler::LookAtChildrenOf(std::int64_t job_id) {
  for (const std::int64_t child : dependencies_.ChildrenOf(job_id)) {
    children_to_look_at_.insert(child);
  }
}

// ---- What happens

// Returns the time of the claim: behind all that the run's job has waited for.
TimestampTz Scheduler::NoteChildStarts(std::uint32_t index, const catalog::QueuedRun& run,
                                       TimestampTz now) {
  const std::int64_t job_id = jobs_[index].job_id;
  if (!dependencies_.IsChild(job_id) || !Counts(run)) {
    return now;
  }
  catalog::JobState& state = StateForClaim(index);
  state.depends_since = dependencies_.Started(job_id, now);
  if (Follows(run)) {
    state.last_occurrence = run.scheduled_at;
  }
  return state.depends_since;
}

// The same for a run that was claimed before this scheduler was there.
void Scheduler::NoteChildStarted(std::uint32_t index, const catalog::QueuedRun& run) {
  const std::int64_t job_id = jobs_[index].job_id;
  if (dependencies_.IsChild(job_id) && Counts(run)) {
    dependencies_.SetSince(job_id, std::max(dependencies_.SinceOf(job_id), run.claimed_at));
    catalog::JobState& state = StateOf(index);
    state.depends_since = dependencies_.SinceOf(job_id);
    if (Follows(run)) {
      state.last_occurrence = std::max(state.last_occurrence, run.scheduled_at);
    }
  }
}

// The end of a run that the scheduler has settled. `goes_on`: the same occurrence is taken up
// again.
void Scheduler::TellChildren(std::uint32_t index, const RunEnd& end, bool goes_on,
                             TimestampTz now) {
  const std::int64_t job_id = jobs_[index].job_id;
  if (dependencies_.empty() || end.dry_run || WorkOf(end) != policy::Work::kOccurrence) {
    return;
  }
  if (end.cause == policy::Cause::kForeground && dependencies_.IsChild(job_id)) {
    // Nobody has claimed it: it has seen what was there when it started.
    dependencies_.SetSince(job_id, std::max(dependencies_.SinceOf(job_id), end.started_at));
    StateOf(index).depends_since = dependencies_.SinceOf(job_id);
  }
  if (!dependencies_.IsParent(job_id)) {
    return;
  }
  if (end.status == policy::RunStatus::kSucceeded) {
    StateOf(index).last_success_at = dependencies_.Succeeded(job_id, end.finished_at);
    success_scheduled_at_[job_id] = end.scheduled_at;
    LookAtChildrenOf(job_id);
  } else if (!goes_on &&
             (policy::IsFailure(end.status) || end.status == policy::RunStatus::kCanceled)) {
    SkipChildren(index, end, now);
  }
}

// ---- What follows

bool Scheduler::FollowsAtOnce(const Job& job) const {
  return job.enabled && job.here && !job.dropped &&
         jobs_.TimingOf(job).schedule.kind() == calendar::Kind::kManual;
}

// Children that may have become ready.
void Scheduler::StartChildren(TimestampTz now) {
  std::set<std::int64_t> children;
  children.swap(children_to_look_at_);
  for (const std::int64_t child : children) {
    const std::uint32_t index = jobs_.Find(child);
    if (index == JobTable::kNoJob || !dependencies_.IsChild(child)) {
      continue;
    }
    const Job& job = jobs_[index];
    const std::int32_t max_runs = jobs_.RulesOf(job).max_runs;
    const bool is_over =
        (job.end_at != 0 && now > job.end_at) || (max_runs > 0 && job.run_count >= max_runs);
    if (!FollowsAtOnce(job)) {
      Reconsider(index, now);
    } else if (!is_over && dependencies_.IsReady(child) && !HasDependencyRun(child)) {
      QueueDependencyRun(index, now);
    }
  }
}

bool Scheduler::HasDependencyRun(std::int64_t job_id) const {
  const std::set<std::int64_t>& runs = waiting_.Of(job_id).all;
  return std::any_of(runs.begin(), runs.end(),
                     [this](std::int64_t run_id) { return Follows(waiting_.At(run_id).run); });
}

void Scheduler::QueueDependencyRun(std::uint32_t index, TimestampTz now) {
  Begin();
  Job& job = jobs_[index];
  catalog::QueuedRun run;
  catalog::NumberRun(&run);
  run.job_id = job.job_id;
  run.owner = job.owner;
  run.cause = policy::Cause::kDependency;
  for (const std::string& name : dependencies_.ParentsOf(job.job_id)) {
    run.scheduled_at = std::max(run.scheduled_at, ScheduleOfSuccess(dependencies_.JobOf(name)));
  }
  run.run_at = std::max<TimestampTz>(now, job.start_at());
  run.queued_at = std::max<TimestampTz>(now, dependencies_.SinceOf(job.job_id) + 1);
  job.run_count++;
  StateOf(index);
  Queue(std::move(run));
}

// The logical time of the parent's last success, as far as it is known.
TimestampTz Scheduler::ScheduleOfSuccess(std::int64_t parent) {
  if (const auto found = success_scheduled_at_.find(parent); found != success_scheduled_at_.end()) {
    return found->second;
  }
  const std::uint32_t index = jobs_.Find(parent);
  if (index == JobTable::kNoJob) {
    return 0;
  }
  const catalog::JobState& state = StateForClaim(index);
  if (state.last_status == policy::RunStatus::kSucceeded) {
    const auto record = catalog::ReadRunRecord(state.last_run_id);
    if (record && record->job_id == parent) {
      return record->scheduled_at;
    }
  }
  return state.last_success_at;
}

// Whether a run that waits because its job's parents have succeeded may start now.
bool Scheduler::MayFollow(std::uint32_t index, std::int64_t run_id, TimestampTz now) {
  const WaitingRuns::Run& waiting = waiting_.At(run_id);
  const Job& job = jobs_[index];
  if (!Follows(waiting.run)) {
    return true;
  }
  const bool was_claimed = waiting.run.version != 0;  // for those successes, and was put back
  if (!was_claimed && dependencies_.SinceOf(job.job_id) >= waiting.run.queued_at &&
      !dependencies_.IsReady(job.job_id)) {
    CancelWaiting(run_id, policy::RunStatus::kSkipped,
                  "the job has run since the jobs that it depends on succeeded", now);
    if (!waiting_.Contains(run_id)) {
      FollowsNoMore(index, now);
    }
    return false;
  }
  if (!job.here) {
    StepOut(run_id);
    return false;
  }
  if (job.backoff_until > now) {
    PutOff(run_id, job.backoff_until);
    return false;
  }
  return true;
}

// The run that waited because the job's parents have succeeded is gone, and does not count. There
// is no other one before they succeed again.
void Scheduler::FollowsNoMore(std::uint32_t index, TimestampTz now) {
  Job& job = jobs_[index];
  job.run_count -= job.run_count > 0 ? 1 : 0;
  catalog::JobState& state = StateOf(index);
  if (dependencies_.IsChild(job.job_id) && dependencies_.IsReady(job.job_id)) {
    state.depends_since = dependencies_.Started(job.job_id, now);
  }
}

// Somebody has canceled it before it was claimed.
void Scheduler::NoteCanceled(std::uint32_t index, const catalog::QueuedRun& run, TimestampTz now) {
  if (Follows(run)) {
    FollowsNoMore(index, now);
  }
}

// Nothing that the job watches has changed: the run, which this transaction has locked, leaves no
// record, as an occurrence of a schedule. False: it has to run, or to fail by what is in the way.
bool Scheduler::PassOverFollower(std::uint32_t index, std::int64_t run_id,
                                 std::optional<Hindrance>* hindrance, TimestampTz now) {
  const WaitingRuns::Run& waiting = waiting_.At(run_id);
  if (!Follows(waiting.run)) {
    return false;
  }
  *hindrance = HindranceOfWatch(index);
  if (*hindrance || WatchSaysRun(index)) {
    return false;
  }
  ItemPointerData tid = waiting.tid;
  catalog::DeleteQueuedRun(run_id, waiting.run.mark, &tid);
  Withdraw(run_id);
  FollowsNoMore(index, now);
  StateOf(index).last_not_needed_at = now;
  statistics_.CountNotNeeded(jobs_[index].job_id, 1);
  recorded_ = true;  // whoever waits for this run has to know
  Reconsider(index, now);
  return true;
}

void Scheduler::SkipChildren(std::uint32_t index, const RunEnd& end, TimestampTz now) {
  const std::int64_t failed = jobs_[index].job_id;
  const auto passes_on = [this](std::int64_t child) {
    const std::uint32_t found = jobs_.Find(child);
    return found != JobTable::kNoJob && FollowsAtOnce(jobs_[found]);
  };
  const std::string failure = policy::FailureOf(jobs_[index].name, end.run_id, end.status);
  for (const auto& [child, parent] : dependencies_.LeftOutBy(failed, passes_on)) {
    Job& job = jobs_[jobs_.Find(child)];
    catalog::RunRecord record = SkipRecordOf(&job, now);
    record.cause = policy::Cause::kDependency;
    record.scheduled_at = end.scheduled_at;
    record.reason = failure;
    if (parent != failed) {
      record.reason =
          "job \"" + std::string(jobs_[jobs_.Find(parent)].name) + "\" did not run: " + failure;
    }
    catalog::InsertRunRecord(record);
    recorded_ = true;
    statistics_.CountSkipped(child, 1);
    purge_.Expect(child, now);
  }
}

// ---- Children with a schedule of their own

// Why the occurrences of a child that are due do not run: remembered, for when they are told there
// may be nobody any more whom it waits for.
std::string Scheduler::ReasonOfParents(const Job& job) {
  std::string& reason = gate_reasons_[job.job_id];
  if (!dependencies_.IsReady(job.job_id)) {
    reason = policy::Reason(CulpritOf(jobs_.Find(job.job_id)));
  } else if (reason.empty()) {
    reason = "waited for the jobs that it depends on";
  }
  return reason;
}

void Scheduler::ParentsHaveSucceeded(Job* job) {
  if (gate_reasons_.erase(job->job_id) > 0) {
    job->skip_noted = false;
  }
}

policy::MissingSuccess Scheduler::CulpritOf(std::uint32_t index) {
  policy::MissingSuccess missing;
  missing.parent = dependencies_.Culprit(jobs_[index].job_id);
  missing.child_run = StateForClaim(index).last_run_id;
  const std::uint32_t parent = jobs_.Find(dependencies_.JobOf(missing.parent));
  missing.exists =
      parent != JobTable::kNoJob && !dependencies_.IsStranger(jobs_[index].job_id, missing.parent);
  if (missing.exists) {
    const catalog::JobState& state = StateForClaim(parent);
    missing.parent_run = state.last_run_id;
    missing.parent_status = state.last_status;
  }
  return missing;
}

}  // namespace ratchet::scheduler
