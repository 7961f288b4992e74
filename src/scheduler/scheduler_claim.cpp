// What starts: ready work takes a place on the board and its mark in ratchet.run_queue.
#include <algorithm>
#include <cstring>

#include "scheduler/scheduler.h"

#include "board/worker_grants.h"
#include "catalog/checkpoint.h"
#include "catalog/job_version.h"
#include "catalog/numbers.h"

namespace ratchet::scheduler {
namespace {

// So much work, in microseconds, is laid out ahead for each worker: short runs follow each other
// without asking the scheduler, long ones are not held up behind each other.
constexpr double kLookAhead = 5000;
constexpr int kMostAhead = 32;

// The work of one transaction: others want to be heard in between.
constexpr int kMostClaims = 500;

// That a role has all its workers is said again after this time.
constexpr std::int64_t kRenewHold = USECS_PER_SEC / 2;

// A job that was changed a moment ago is looked at again after this time, at the latest.
constexpr std::int64_t kLookAgain = 100'000;

}  // namespace

void Scheduler::Claim(TimestampTz now) {
  backlog_ = false;
  held_back_ = false;
  OpenMutexes(now);
  bool waits = false;
  for (auto& [role_id, role] : roles_) {
    if (!role.ready.empty()) {
      waits = !ClaimRole(role_id, &role, now) || waits;
    }
  }
  board::NoteWaitingWork(entry_, clock_.steady, waits);
  if (waits || !entry_->waits_for_worker) {
    starter_.NoteWaitingWork(clock_.steady, waits);
  }
}

// So many runs of the role may be under way at a time.
int Scheduler::RoomOf(const Role& role, const board::PoolView& view) {
  const int ahead = std::clamp(static_cast<int>(kLookAhead / role.mean_run_time), 0, kMostAhead);
  return std::max({view.workers * (1 + ahead), view.workers + view.free, 1});
}

// Work is left, and no more workers are to be had for it: one of the role's runs has to end first.
void Scheduler::HoldBack(Oid role_id, const board::PoolView& view) {
  held_back_ = true;
  if (!view.is_held || clock_.steady - view.held_at > kRenewHold) {
    board::NoteHeldPool(entry_->database, role_id, clock_.steady);
  }
}

// False when work is left because all workers of the server are busy.
bool Scheduler::ClaimRole(Oid role_id, Role* role, TimestampTz now) {
  const board::PoolView view = board::ViewPool(entry_->database, role_id, clock_.steady);
  const int room = RoomOf(*role, view);
  int claims = 0;
  while (!role->ready.empty()) {
    const bool hopeless = ProblemOf(role_id, role).has_value();
    const bool is_full = role->in_flight >= room && !hopeless;
    if (is_full && view.role_is_full) {
      HoldBack(role_id, view);
      return true;
    }
    if (is_full || claims >= kMostClaims) {
      backlog_ = true;
      return !is_full || view.free > 0;
    }
    const policy::Turn turn = role->ready.Take();
    if (!WaitsForMutex(role_id, turn, now) && !ClaimTurn(turn, now)) {
      role->ready.Insert(turn);  // no place on the board: its turn stays
      backlog_ = true;
      return true;
    }
    claims++;
  }
  return true;
}

// False: there is no place on the board.
bool Scheduler::ClaimTurn(const policy::Turn& turn, TimestampTz now) {
  return turn.run_id != 0 ? ClaimWaiting(turn.run_id, now)
                          : ClaimOccurrence(jobs_.Find(turn.id), now);
}

bool Scheduler::ClaimOccurrence(std::uint32_t index, TimestampTz now) {
  if (index == JobTable::kNoJob) {
    return true;
  }
  Job& job = jobs_[index];
  const policy::JobPlan plan = PlanOf(job);
  const policy::Step step = plan.NextStep(now);
  if (step.kind != policy::Step::Kind::kReady) {
    job.ready = false;
    AtDue(index, now);
    return true;
  }
  if (!Pin(&job)) {
    job.ready = false;
    jobs_.SetDue(index, now + kLookAgain);
    return true;
  }
  const policy::Start start = plan.StartAt(step, now);
  const bool runs = start.run != calendar::kNever;
  std::optional<Hindrance> hindrance = runs ? HindranceOfWatch(index) : std::nullopt;
  if (runs && !hindrance && !WatchSaysRun(index)) {
    PassOver(index, plan.SkipStep(policy::SkipReason::kMissed, now), now);
    return true;
  }
  catalog::QueuedRun run;
  run.job_id = job.job_id;
  run.owner = job.owner;
  run.cause = start.catchup ? policy::Cause::kCatchup : policy::Cause::kSchedule;
  int slot = board::kNone;
  std::string blocked_by;
  if (runs && !hindrance) {
    hindrance = HindranceOf(job.owner);
  }
  if (runs && !hindrance && !Reserve(index, run, &slot, &blocked_by)) {
    if (!mutexes_.IsFree(job.mutex)) {
      mutexes_.Wait(job.mutex, {job.owner, KeyOf(job, 0, job.ready_due)});
      return true;
    }
    if (blocked_by.empty()) {
      return false;
    }
    // A foreground session runs it.
    job.ready = false;
    if (job.overlap == catalog::Overlap::kSkip) {
      Skip(index, plan.SkipStep(policy::SkipReason::kRunning, now), blocked_by, now);
      Reconsider(index, now);
    } else {
      jobs_.SetDue(index, now + USECS_PER_SEC);
    }
    return true;
  }
  RecordClosed(index, start.closed, now);
  if (start.skip > 0) {
    RecordSkipped(index, start.skip, start.skip_first, start.skip_until,
                  ReasonOf(job, policy::SkipReason::kMissed), now);
    job.watermark = start.skip_until;
  }
  job.ready = false;
  if (runs) {
    run.scheduled_at = start.run;
    run.previous_scheduled_at = StateForClaim(index).last_occurrence;
    StateForClaim(index).last_occurrence = run.scheduled_at;
    run.run_at = run.scheduled_at;
    run.queued_at = now;
    job.watermark = run.scheduled_at;
    job.run_count++;
    Start(index, &run, nullptr, {slot, std::move(hindrance)}, now);
  }
  Reconsider(index, now);
  return true;
}

// Whether anything but a run under way keeps the run from starting. It then is canceled, put off,
// or left to wait for what will wake it.
bool Scheduler::MayStart(std::uint32_t index, std::int64_t run_id, TimestampTz now) {
  WaitingRuns::Run& waiting = waiting_.At(run_id);
  Job& job = jobs_[index];
  if (job.quarantined) {
    StepOut(run_id);
    return false;
  }
  if (waiting.run.version == 0 && !Pin(&job)) {
    PutOff(run_id, now + kLookAgain);
    return false;
  }
  if (waiting.run.walk_began != 0) {
    EndIfWalkHasEnded(index, run_id, now);
    if (!waiting_.Contains(run_id) || waiting_.At(run_id).place == Place::kOut) {
      return false;
    }
  }
  const bool asked_by_hand =
      (waiting.run.cause == policy::Cause::kTrigger && !waiting.run.on_change) ||
      waiting.run.replay_of != 0;
  if (!job.here && asked_by_hand) {
    CancelWaiting(run_id, policy::RunStatus::kSkipped,
                  "not meant for environment \"" + environment_ + "\"", now);
    return false;
  }
  if (!job.here || (!job.enabled && !asked_by_hand)) {
    StepOut(run_id);  // what the job had left to do waits until it may, or is resumed
    return false;
  }
  if (const calendar::Instant opening = jobs_.PlanOf(job).Opening(now); opening > now) {
    PutOff(run_id, opening);
    return false;
  }
  if (waiting.run.on_change && job.backoff_until > now) {
    PutOff(run_id, job.backoff_until);  // each change would fail anew
    return false;
  }
  if (!MayFollow(index, run_id, now)) {
    return false;
  }
  Begin();
  if (!catalog::LockQueuedRun(run_id, &waiting.tid)) {
    PutOff(run_id, now + kLookAgain);
    return false;
  }
  return true;
}

// A trigger that carries nothing of its own is content with the run that is under way, unless that
// is for the past.
bool Scheduler::IsContent(const Job& job, const WaitingRuns::Run& waiting) {
  return job.overlap == catalog::Overlap::kSkip && waiting.run.cause == policy::Cause::kTrigger &&
         waiting.run.coalesce && !waiting.run.has_payload && !job.past_run;
}

bool Scheduler::ClaimWaiting(std::int64_t run_id, TimestampTz now) {
  WaitingRuns::Run* found = waiting_.Find(run_id);
  if (found == nullptr) {
    return true;
  }
  WaitingRuns::Run& waiting = *found;
  if (CallOff(run_id, now)) {
    return true;
  }
  const std::uint32_t index = jobs_.Find(waiting.run.job_id);
  Job& job = jobs_[index];
  const bool overlaps = job.running > 0 && job.overlap != catalog::Overlap::kAllow;
  if (overlaps && !IsContent(job, waiting)) {
    waiting_.SetPlace(run_id, Place::kAside);
    return true;
  }
  if (!MayStart(index, run_id, now)) {
    return true;
  }
  const Oid owner = OwnerOf(job, waiting.run);
  std::string blocked_by;
  int slot = board::kNone;
  std::optional<Hindrance> hindrance;
  if (overlaps) {
    blocked_by = BlockingRun(job);
  } else if (PassOverFollower(index, run_id, &hindrance, now)) {
    return true;
  } else if (!hindrance) {
    hindrance = HindranceOf(owner);
  }
  if (!overlaps && !hindrance && !Reserve(index, waiting.run, &slot, &blocked_by) &&
      blocked_by.empty()) {
    if (mutexes_.IsFree(job.mutex)) {
      return false;
    }
    mutexes_.Wait(job.mutex, {owner, KeyOf(job, run_id, waiting.run.run_at)});
    return true;
  }
  if (!blocked_by.empty()) {
    if (IsContent(job, waiting)) {
      CancelWaiting(run_id, policy::RunStatus::kSkipped, blocked_by, now);
    } else {
      waiting_.SetPlace(run_id, Place::kAside);
    }
    return true;
  }
  catalog::QueuedRun run = waiting.run;
  run.payload = catalog::PayloadOf(run);
  if (run.retry_of == 0 && run.version == 0 && run.backfill_id == 0) {
    run.previous_scheduled_at = StateForClaim(index).last_occurrence;
  }
  ItemPointerData tid = waiting.tid;
  EraseWaiting(run_id);
  Start(index, &run, &tid, {slot, std::move(hindrance)}, now);
  CallAside(index);
  Reconsider(index, now);
  return true;
}

Scheduler::Terms Scheduler::TermsOf(const Job& job, const catalog::QueuedRun& run) const {
  if (run.version != 0 && (job.dropped || run.version != job.version)) {
    if (const auto version = catalog::FindJobVersion(job.job_id, run.version)) {
      return {version->job_name, job.queue ? 0 : version->timeout};
    }
  }
  return {job.name, job.queue ? 0 : jobs_.RulesOf(job).timeout};  // that of a queue is each task's
}

// A place on the board; false when there is none, or with *blocked_by when a foreground session is
// running the job, or when such a session has the job's mutex, which then is not free in mutexes_.
bool Scheduler::Reserve(std::uint32_t index, const catalog::QueuedRun& run, int* slot,
                        std::string* blocked_by) {
  const Job& job = jobs_[index];
  const Terms terms = TermsOf(job, run);
  board::RunTicket ticket{};
  ticket.identity() = run;
  ticket.version = run.version != 0 ? run.version : job.version;
  ticket.owner = OwnerOf(job, run);
  ticket.database = entry_->database;
  ticket.incarnation = incarnation_;
  ticket.exclusive = job.overlap != catalog::Overlap::kAllow;
  ticket.timeout = terms.timeout;
  strlcpy(ticket.job_name, terms.job_name.c_str(), sizeof(ticket.job_name));
  strlcpy(ticket.mutex, mutexes_.NameOf(job.mutex).c_str(), sizeof(ticket.mutex));
  board::RunInTheWay blocking{};
  switch (board::Reserve(ticket, slot, &blocking)) {
    case board::ReserveResult::kReserved:
      reserved_.push_back(*slot);
      return true;
    case board::ReserveResult::kJobIsRunning:
      *blocked_by = "already running: run " + std::to_string(blocking.run_id) + " (pid " +
                    std::to_string(blocking.pid) + ", in the foreground)";
      return false;
    case board::ReserveResult::kMutexIsHeld:
      mutexes_.Hold(job.mutex, blocking.run_id);
      return false;
    case board::ReserveResult::kFull:
      break;
  }
  return false;
}

// Marks the run as claimed, in its reserved slot. Without a slot there is a hindrance, by which the
// run fails here and now.
void Scheduler::Start(std::uint32_t index, catalog::QueuedRun* run, ItemPointer tid,
                      const Permit& permit, TimestampTz now) {
  const int slot = permit.slot;
  Job& job = jobs_[index];
  Begin();
  StateForClaim(index);
  job.claimed_at = now;
  if (run->run_id == 0) {
    catalog::NumberRun(run);
  }
  run->owner = OwnerOf(job, *run);
  run->version = run->version != 0 ? run->version : job.version;
  const TimestampTz claimed_at = NoteChildStarts(index, *run, now);
  if (slot == board::kNone) {
    FailWithoutStart(index, *run, tid, *permit.hindrance, now);
    return;
  }
  if (run->walk == 0 && run->retry_of == 0) {
    run->walk = catalog::WalkOf(
        *run, run->payload, {job.batch, job.incremental, job.overlap == catalog::Overlap::kAllow});
  }
  run->claimed_at = claimed_at;
  ItemPointerData queue_tid;
  ItemPointerSetInvalid(&queue_tid);
  if (tid != nullptr) {
    queue_tid = *tid;
    catalog::UpdateQueuedRun(&queue_tid, *run);
  } else {
    catalog::InsertQueuedRun(*run, &queue_tid);
  }
  board::RunTicket& ticket = board::Runs()[slot].ticket;  // reserved: nobody else looks at it
  ticket.identity() = *run;
  const calendar::Instant closing = jobs_.PlanOf(job).ClosesAt(now);
  ticket.closes_at = closing != calendar::kNever ? closing : 0;
  Flight& flight = flights_[run->run_id] = {*run, queue_tid, job.mutex, SeenBy(index, *run)};
  ticket.watches = flight.seen.has_value();
  if (job.mutex != 0) {
    mutexes_.Hold(job.mutex, run->run_id);
  }
  BeatAtStart(index, *run, now);
  job.running++;
  job.past_run = run->backfill_id != 0;
  roles_[run->owner].in_flight++;
}

// Keeps the definition that is about to run. False when it has changed since we looked: the notice
// of that is on its way, and nothing must start before it is here. Nor does it before a session
// that has pinned it has committed.
bool Scheduler::Pin(Job* job) {
  if (job->pinned) {
    return true;
  }
  Begin();
  job->pinned = catalog::PinJobVersion(job->job_id, job->version, pg::IfBusy::kGiveUp);
  return job->pinned;
}

}  // namespace ratchet::scheduler
