#include "scheduler/scheduler.h"

#include <algorithm>
#include <cstring>

#include "board/change_board.h"
#include "board/pool_view.h"
#include "board/process_board.h"
#include "board/run_limits.h"
#include "board/run_waits.h"
#include "board/worker_grants.h"
#include "catalog/incarnation.h"
#include "pg/clock.h"
#include "pg/settings.h"

extern "C" {
#include "access/xlog.h"
#include "pgstat.h"
}

namespace ratchet::scheduler {
namespace {

// Stubborn runs are looked for no more often than this.
constexpr std::int64_t kWatchEvery = 50'000;
// The server takes what a process has counted of its tables no more often than this. What is left
// over is handed on before a rest: autovacuum goes by it.
constexpr std::int64_t kCountsDelay = USECS_PER_SEC;
// Another worker is worth its start when the ones that are there need longer than this
// (microseconds).
constexpr double kWorthAWorker = 3000;
// A pass costs as much as a run or two. So runs that end within this time (microseconds) are one
// pass, while every worker has another run at hand.
constexpr std::int64_t kGather = 1000;
// Message and hint, in the form of board::RunOutcome::text.
void FillTexts(const catalog::RunError& error, board::RunOutcome* outcome) {
  constexpr std::size_t kLongest = 1000;
  std::memset(outcome->text, 0, sizeof(outcome->text));
  strlcpy(outcome->text, error.message.c_str(), kLongest);
  strlcpy(outcome->text + std::strlen(outcome->text) + 2, error.hint.c_str(), kLongest);
}

}  // namespace

Scheduler::Scheduler(board::DatabaseEntry* entry)
    : entry_(entry), random_(static_cast<std::uint64_t>(pg::Now().wall) ^ MyProcPid) {}

PassResult Scheduler::Pass(const policy::Moment& now) {
  if (board::MustLeave(entry_, board::ProcessKind::kScheduler)) {
    return PassResult::kLeave;
  }
  clock_ = now;
  entry_->starts = pg::settings.enabled;
  LookAtClock();
  ServeQueues();
  Decide(now.wall);
  if (absent_) {
    board::ForgetChangedJobs(entry_->database);
    return PassResult::kAbsent;
  }
  Publish();
  starter_.Reap(now.steady);
  StartWorkers();
  FlushClaims();
  Maintain();
  return PassResult::kGoOn;
}

void Scheduler::Decide(TimestampTz now) {
  if (!load_) {
    TakeClock();
  }
  TakeChanges(now);
  if (absent_ || load_) {
    return;
  }
  LookAtShared(now);
  TakeEnded(now);
  LookAtOwners(now);
  FollowQueues(now);
  if (MayStart()) {
    StartChildren(now);
    TakeDue(now);
    FeedBackfills(now);
    Claim(now);
  } else {
    board::NoteWaitingWork(entry_, clock_.steady, false);
  }
  ForgetDropped(now);
  ServeMessages(now);
  WriteStates();
  Commit();
  resets_.clear();
  ShowCounts();
}

void Scheduler::Forget() {
  transaction_.reset();
  watched_.Clear();
  messages_.Forget();
  timed_.clear();
  for (const int slot : reserved_) {
    board::Unreserve(slot);
  }
  reserved_.clear();
  ended_.clear();  // still on the board: Load finds them
  jobs_.Clear();
  states_.clear();
  waiting_.Clear();
  stale_states_.clear();
  flights_.clear();
  dropped_.clear();
  backfills_.clear();
  feeds_.clear();
  roles_.clear();
  mutexes_.Clear();
  sharing_.clear();
  dependencies_.Clear();
  children_to_look_at_.clear();
  gate_reasons_.clear();
  success_scheduled_at_.clear();
  purge_.Clear();
  gone_owners_.Clear();
  desk_.Forget();
  refused_makers_.clear();
  statistics_.TakeBack();
  unflushed_.clear();
  recorded_ = false;
  incarnation_ = InvalidOid;
  load_ = true;
}

void Scheduler::Begin() {
  if (!transaction_) {
    transaction_.emplace();
  }
}

void Scheduler::Commit() {
  watched_.TransactionEnded();
  if (transaction_) {
    // What was written, if anything, has left a lock on a table: it is the right one, and stays.
    if (OidIsValid(incarnation_) && catalog::FindIncarnation() != incarnation_) {
      throw ExtensionReplaced();
    }
    transaction_->Commit(pg::Durability::kAsynchronous);
    transaction_.reset();
    const bool is_left = pg::Call([] { return pgstat_report_stat(false); }) > 0;
    if (!is_left) {
      counts_due_ = {};
    } else if (!counts_due_.IsSet()) {
      counts_due_ = clock_.steady + kCountsDelay;
    }
  }
  statistics_.Keep();
  if (!ended_.empty()) {
    board::Free(ended_);
    ended_.clear();
  }
  if (recorded_) {
    recorded_ = false;
    board::AnnounceRecorded();
  }
}

// The claims are committed: workers may have them.
void Scheduler::Publish() {
  if (reserved_.empty()) {
    return;
  }
  const policy::Moment now = pg::Now();
  for (const int slot : reserved_) {
    unflushed_.push_back({now.steady, XactLastCommitEnd, board::Runs()[slot].ticket.run_id});
    if (!board::Publish(slot)) {
      board::RunOutcome outcome{};
      outcome.status = policy::RunStatus::kFailed;
      outcome.sqlstate = ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
      outcome.finished_at = now.wall;
      strlcpy(outcome.text, "too many roles and databases have runs at the same time",
              sizeof(outcome.text));
      board::EndReserved(slot, outcome);
    }
  }
  reserved_.clear();
}

void Scheduler::StartWorkers() {
  const policy::SteadyTime now = clock_.steady;
  bool waits = false;
  bool laid_out = false;
  for (auto& [role_id, role] : roles_) {
    if (role.in_flight == 0 && role.ready.empty()) {
      continue;
    }
    FailedStarts(role_id, &role, clock_.wall);
    board::PoolView view = board::ViewPool(entry_->database, role_id, now);
    int wanted = view.ready - view.idle - view.starting;
    if (view.ready == 0) {
      continue;
    }
    // What the runs took so far says little when the one in hand takes longer.
    const double in_hand = view.last_take.IsSet() ? static_cast<double>(now - view.last_take) : 0;
    const double soon = std::max(role.mean_run_time, in_hand);
    laid_out = laid_out || (view.workers > 0 && view.ready >= view.workers && soon < kGather);
    if (view.workers > 0 && view.ready * soon / view.workers < kWorthAWorker) {
      backlog_ = true;
      wanted = 0;
    }
    for (; wanted > 0; wanted--) {
      const WorkerStarter::Result result = starter_.Start(entry_->database, role_id, now);
      if (result != WorkerStarter::Result::kDone) {
        waits = waits || result == WorkerStarter::Result::kHasToWait;
        held_back_ = held_back_ || result == WorkerStarter::Result::kRoleIsFull;
        break;
      }
    }
  }
  entry_->waits_for_worker = waits;
  entry_->looks_again_at = laid_out ? now + kGather : policy::kNoSteadyTime;
}

// Workers that could not connect: what they had to do fails with their error, unless they were held
// up only.
void Scheduler::FailedStarts(Oid role_id, Role* role, TimestampTz now) {
  board::RunOutcome outcome{};
  if (board::TakeFailedStarts(entry_->database, role_id, &outcome.sqlstate, outcome.text,
                              sizeof(outcome.text)) == 0) {
    return;
  }
  if (outcome.sqlstate == ERRCODE_LOCK_NOT_AVAILABLE) {
    starter_.NoteStuckStart(clock_.steady);
    return;
  }
  outcome.status = policy::RunStatus::kFailed;
  outcome.finished_at = now;
  role->checked_at = {};
  Begin();
  if (const auto& problem = ProblemOf(role_id, role)) {
    outcome.sqlstate = problem->sqlstate;
    FillTexts(*problem, &outcome);
  }
  Commit();
  board::EndReadyOfPool(entry_->database, role_id, outcome);
}

catalog::JobState& Scheduler::StateForClaim(std::uint32_t index) {
  Job& job = jobs_[index];
  const auto found = states_.find(job.job_id);
  if (found != states_.end()) {
    return found->second.state;
  }
  catalog::JobState state;
  Begin();
  if (ItemPointerIsValid(&job.state_tid) &&
      !catalog::FindJobState(job.job_id, &job.state_tid, &state)) {
    ItemPointerSetInvalid(&job.state_tid);
  }
  state.job_id = job.job_id;
  return states_.emplace(job.job_id, TouchedState{state, false}).first->second.state;
}

catalog::JobState& Scheduler::StateOf(std::uint32_t index) {
  catalog::JobState& state = StateForClaim(index);
  states_.find(jobs_[index].job_id)->second.write = true;
  return state;
}

void Scheduler::WriteStates() {
  for (auto it = states_.begin(); it != states_.end();) {
    auto& [job_id, touched] = *it;
    const std::uint32_t index = jobs_.Find(job_id);
    const bool is_there = index != JobTable::kNoJob && !jobs_[index].dropped;
    if (is_there && !touched.write) {
      ++it;
      continue;
    }
    if (is_there) {
      Job& job = jobs_[index];
      catalog::JobState& state = touched.state;
      state.next_run_at = NextRunAt(job);
      state.last_scheduled_at = job.watermark;
      state.consecutive_failures = job.consecutive_failures;
      state.crash_streak = job.crash_streak;
      state.backoff_until = job.backoff_until;
      state.run_count = job.run_count;
      const catalog::RunError* problem = jobs_.ProblemOf(job);
      state.schedule_problem = problem != nullptr ? problem->message : std::string();
      Begin();
      catalog::WriteJobState(&job.state_tid, state);
    }
    it = states_.erase(it);
  }
}

// A run that is still under way after a moment must be found by who comes after a crash.
void Scheduler::FlushClaims() {
  XLogRecPtr lsn = InvalidXLogRecPtr;
  while (!unflushed_.empty() && unflushed_.front().since + kFlushAfter <= clock_.steady) {
    const auto flight = flights_.find(unflushed_.front().run_id);
    if (flight != flights_.end()) {
      lsn = std::max(lsn, unflushed_.front().lsn);
      if (states_.contains(flight->second.run.job_id)) {
        StateOf(jobs_.Find(flight->second.run.job_id));
      }
    }
    unflushed_.pop_front();
  }
  if (lsn == InvalidXLogRecPtr) {
    return;
  }
  WriteStates();
  if (transaction_) {
    Commit();
  }
  // That of the claims: after a crash they tell all that matters. Where runs commit all the time
  // they have flushed it long ago, and the scheduler does not wait for the disk.
  pg::Call([lsn] { XLogFlush(lsn); });
}

void Scheduler::Watch() {
  const policy::AwakeTime now = pg::AwakeNow();
  if (flights_.empty() && board::TheBoard()->active_foreground == 0) {
    next_limit_ = {};
  } else if (now >= last_watch_ + kWatchEvery) {
    last_watch_ = now;
    board::EnforceLimits(entry_->database, now,
                         static_cast<std::int64_t>(pg::settings.cancel_grace) * 1000, &next_limit_);
  } else if (!next_limit_.IsSet()) {
    next_limit_ = last_watch_ + kWatchEvery;
  }
}

// What can wait until there is nothing else to do.
void Scheduler::Maintain() {
  const policy::SteadyTime now = clock_.steady;
  const bool busy = backlog_ || jobs_.FirstDue() <= clock_.wall;
  const bool may_wait = busy || statistics_unwritten_;
  if (!statistics_.empty() && (!may_wait || now - statistics_written_ >= kStatisticsDelay)) {
    statistics_written_ = now;
    statistics_unwritten_ = true;
    WriteStatistics();
  }
  if (counts_due_.IsSet() && counts_due_ <= now) {
    pg::Call([] { pgstat_report_stat(true); });
    counts_due_ = {};
  }
  if (!busy && !WriteStaleStates() && !gone_owners_.Step()) {
    purge_.Step(entry_->clock.Believed(clock_), clock_.wall,
                [this](std::int64_t job_id) { return NeedsHistory(job_id); });
  }
}

// Jobs that came from a dump have no state yet; and what the states of others tell of their next
// run may not be so any more.
bool Scheduler::WriteStaleStates() {
  constexpr std::size_t kSlice = 2000;
  if (stale_states_.empty()) {
    return false;
  }
  for (std::size_t i = 0; i < kSlice && !stale_states_.empty(); i++) {
    const std::uint32_t index = jobs_.Find(stale_states_.back());
    stale_states_.pop_back();
    if (index != JobTable::kNoJob) {
      StateOf(index);
    }
  }
  WriteStates();
  Commit();
  return true;
}

// A replay that waits or is under way reads the record and the items of the run before it.
bool Scheduler::NeedsHistory(std::int64_t job_id) const {
  for (const std::int64_t run_id : waiting_.Of(job_id).all) {
    const catalog::QueuedRun& run = waiting_.At(run_id).run;
    if (run.replay_of != 0 || run.items_of != 0) {
      return true;
    }
  }
  return std::any_of(flights_.begin(), flights_.end(), [job_id](const auto& flight) {
    return flight.second.run.job_id == job_id && flight.second.needs_history();
  });
}

void Scheduler::Finish() {
  if (statistics_.empty()) {
    return;
  }
  try {
    WriteStatistics();
  } catch (const ExtensionReplaced&) {
    // They are of jobs that are not there any more.
    Forget();
  }
}

void Scheduler::WriteStatistics() {
  Begin();
  statistics_.Write();
  Commit();
  statistics_.Written();
  statistics_unwritten_ = false;
}

bool Scheduler::MayStart() const {
  return pg::settings.enabled && !quarantined_ && !all_paused_ && clock_.steady >= starts_again_at_;
}

}  // namespace ratchet::scheduler
