#include "board/run_board.h"

#include <algorithm>
#include <cstring>

#include "board/database_list.h"
#include "board/message_board.h"
#include "board/pool_list.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "storage/proc.h"
#include "utils/wait_event.h"
}

#include <csignal>

namespace ratchet::board {
namespace {

// Callers of these hold the lock.

bool IsLive(const RunSlot& run) {
  return run.state != RunState::kFree && run.state != RunState::kEnded;
}

// A run that ended but whose process still is in the transaction counts as live for its job: a
// foreground session ends its run only when its transaction is over.
const RunSlot* FindLiveRunOfJob(const RunTicket& ticket, bool foreground_only) {
  for (int i = 0; i < TheBoard()->runs; i++) {
    const RunSlot& run = Runs()[i];
    if (IsLive(run) && run.ticket.job_id == ticket.job_id &&
        run.ticket.database == ticket.database && (run.ticket.foreground || !foreground_only)) {
      return &run;
    }
  }
  return nullptr;
}

const RunSlot* FindHolder(Oid database, const char* mutex) {
  if (mutex[0] == '\0') {
    return nullptr;
  }
  for (int i = 0; i < TheBoard()->runs; i++) {
    const RunSlot& run = Runs()[i];
    if (IsLive(run) && run.ticket.database == database && strcmp(run.ticket.mutex, mutex) == 0) {
      return &run;
    }
  }
  return nullptr;
}

RunInTheWay InTheWay(const RunSlot& run) {
  RunInTheWay blocking{run.ticket.run_id, run.pid, run.ticket.owner, ""};
  strlcpy(blocking.job_name, run.ticket.job_name, sizeof(blocking.job_name));
  return blocking;
}

// A process whose time is over stops by a timer of its own, in whose signal handler it could not
// note it here. So much later it is taken not to have gone off.
constexpr std::int64_t kTimerIsLate = 200'000;

// When the time of what the run does is over; not set: never.
policy::AwakeTime LimitOf(const RunSlot& run) {
  const policy::AwakeTime timed_out =
      run.ticket.timeout > 0 ? run.time_since + run.ticket.timeout : policy::AwakeTime{};
  if (!run.condition_until.IsSet() || !timed_out.IsSet()) {
    return std::max(run.condition_until, timed_out);
  }
  return std::min(run.condition_until, timed_out);
}

// When the run was or will be asked to stop; not set: never.
policy::AwakeTime CanceledAt(const RunSlot& run) {
  return run.cancel != CancelReason::kNotCanceled ? run.cancel_at : LimitOf(run);
}

// The session of a foreground run is its user's: it is not ended because of a time-out.
bool MayTerminate(const RunSlot& run) {
  return !run.ticket.foreground || run.cancel == CancelReason::kCanceled;
}

// When EnforceLimits() has something to do about the run; not set: never.
policy::AwakeTime DueOf(const RunSlot& run, std::int64_t grace) {
  const policy::AwakeTime limit = LimitOf(run);
  const bool is_canceled =
      run.cancel != CancelReason::kNotCanceled || (run.condition_canceled && limit.IsSet());
  if (!is_canceled) {
    return limit.IsSet() ? limit + std::min(kTimerIsLate, grace) : limit;
  }
  return MayTerminate(run) ? CanceledAt(run) + grace : policy::AwakeTime{};
}

// As if by its own timer. The signal is sent under the lock that End takes: it cannot hit the
// process's next run.
void CancelOverdue(RunSlot* run) {
  const policy::AwakeTime limit = LimitOf(*run);
  if (limit == run->condition_until) {
    run->condition_canceled = true;
  } else {
    run->cancel = CancelReason::kTimedOut;
    run->cancel_at = limit;
  }
  kill(run->pid, SIGINT);
}

int TakeFreeSlot(const RunTicket& ticket, RunState state) {
  Board* board = TheBoard();
  const int index = board->free_run;
  if (index == kNone) {
    return kNone;
  }
  RunSlot& run = Runs()[index];
  board->free_run = run.next;
  run.state = state;
  run.cancel = CancelReason::kNotCanceled;
  run.terminated = false;
  run.next = kNone;
  run.worker = kNone;
  run.proc = kNone;
  run.pid = 0;
  run.started_at = 0;
  run.begun = {};
  run.time_since = {};
  run.cancel_at = {};
  run.progress_done = 0;
  run.progress_remaining = -1;
  run.condition_until = {};
  run.condition_canceled = false;
  run.commits = false;
  ForgetMessages(&run.messages);
  run.ticket = ticket;
  run.walks = false;
  run.wait = RunWait::kNothing;
  run.in_the_way = 0;
  run.committed = RunCounters{};
  run.walk_done = 0;
  return index;
}

void ReturnSlot(int index) {
  Board* board = TheBoard();
  Runs()[index].state = RunState::kFree;
  Runs()[index].next = board->free_run;
  board->free_run = index;
}

// Nothing is lost if the scheduler hears later of its end. A look at looks_again_at that is too old
// wakes it once too often; a new one is older than the sleep which ends by itself.
bool CanBeTakenUpLater(const RunSlot& run, const DatabaseEntry& database) {
  if (run.worker == kNone || database.scheduler_proc == kNone ||
      run.ended >= database.looks_again_at) {
    return false;
  }
  const Pool& pool = Pools()[Workers()[run.worker].pool];
  return pool.ready >= pool.workers;
}

// A run that nobody has in hand.
void EndUnstarted(int slot) {
  static RunOutcome canceled;
  canceled.status = policy::RunStatus::kCanceled;
  canceled.finished_at = GetCurrentTimestamp();
  EndLocked(slot, canceled);
}

}  // namespace

// Shared with worker_board.cpp; the lock is held.
void SetStarted(RunSlot* run, const policy::Moment& now) {
  run->started_at = now.wall;
  run->begun = now.steady;
  run->time_since = pg::AwakeNow();
}

void EndLocked(int slot, const RunOutcome& outcome) {
  RunSlot& run = Runs()[slot];
  run.state = RunState::kEnded;
  run.ended = pg::SteadyNow();
  // The texts are long and mostly empty: only their used part is copied.
  const std::size_t fixed = offsetof(RunOutcome, text);
  std::memcpy(&run.outcome, &outcome, fixed);
  if (outcome.recorded) {
    run.outcome.text[0] = '\0';
  } else {
    std::memcpy(run.outcome.text, outcome.text, sizeof(outcome.text));
  }
  if (run.ticket.foreground) {
    TheBoard()->active_foreground--;
  }
  DatabaseEntry* database = FindEntry(run.ticket.database);
  if (database != nullptr) {
    run.next = database->first_ended;
    database->first_ended = slot;
    if (!CanBeTakenUpLater(run, *database)) {
      WakeSchedulerOrLauncher(database);
    }
    return;
  }
  ReturnSlot(slot);  // the database is gone, and with it its log
}

ReserveResult Reserve(const RunTicket& ticket, int* slot, RunInTheWay* blocking) {
  const Lock lock;
  if (ticket.exclusive && TheBoard()->active_foreground > 0) {
    if (const RunSlot* run = FindLiveRunOfJob(ticket, true)) {
      *blocking = InTheWay(*run);
      return ReserveResult::kJobIsRunning;
    }
  }
  if (const RunSlot* run = FindHolder(ticket.database, ticket.mutex)) {
    *blocking = InTheWay(*run);
    return ReserveResult::kMutexIsHeld;
  }
  *slot = TakeFreeSlot(ticket, RunState::kReserved);
  return *slot == kNone ? ReserveResult::kFull : ReserveResult::kReserved;
}

void Unreserve(int slot) {
  const Lock lock;
  ReturnSlot(slot);
}

bool Publish(int slot) {
  const Lock lock;
  RunSlot& run = Runs()[slot];
  if (run.cancel != CancelReason::kNotCanceled) {
    EndUnstarted(slot);
    return true;
  }
  const int index = FindOrAddPool(run.ticket.database, run.ticket.owner);
  if (index == kNone) {
    return false;
  }
  run.state = RunState::kReady;
  AppendReady(index, slot);
  WakeIdleWorker(index);
  return true;
}

void EndReserved(int slot, const RunOutcome& outcome) {
  const Lock lock;
  EndLocked(slot, outcome);
}

void EndReadyOfPool(Oid database, Oid role, const RunOutcome& outcome) {
  const Lock lock;
  const int index = FindPool(database, role);
  if (index == kNone) {
    return;
  }
  for (int slot = RemoveReady(index); slot != kNone; slot = RemoveReady(index)) {
    EndLocked(slot, outcome);
  }
}

bool FindMutexHolder(Oid database, const char* mutex, RunInTheWay* holder) {
  const Lock lock(LW_SHARED);
  const RunSlot* run = FindHolder(database, mutex);
  if (run != nullptr) {
    *holder = InTheWay(*run);
  }
  return run != nullptr;
}

ForegroundResult BeginForeground(const RunTicket& ticket, int* slot, RunInTheWay* blocking) {
  const Lock lock;
  if (ticket.exclusive) {
    if (const RunSlot* run = FindLiveRunOfJob(ticket, false)) {
      *blocking = InTheWay(*run);
      return ForegroundResult::kJobIsRunning;
    }
  }
  if (const RunSlot* run = FindHolder(ticket.database, ticket.mutex)) {
    *blocking = InTheWay(*run);
    return ForegroundResult::kMutexIsHeld;
  }
  *slot = TakeFreeSlot(ticket, RunState::kRunning);
  if (*slot == kNone) {
    return ForegroundResult::kFull;
  }
  RunSlot& run = Runs()[*slot];
  run.proc = pg::MyPlaceInAllProcs();
  run.pid = MyProcPid;
  SetStarted(&run, pg::Now());
  TheBoard()->active_foreground++;
  return ForegroundResult::kRunning;
}

RunTicket TicketOf(int slot) {
  const Lock lock(LW_SHARED);
  return Runs()[slot].ticket;
}

CancelReason End(int slot, const RunOutcome& outcome) {
  const Lock lock;
  const CancelReason cancel = Runs()[slot].cancel;
  if (Runs()[slot].worker != kNone) {
    Workers()[Runs()[slot].worker].run = kNone;
  }
  EndLocked(slot, outcome);
  return cancel;
}

CancelReason CancelReasonOf(int slot) {
  const Lock lock(LW_SHARED);
  return Runs()[slot].cancel;
}

CancelResult Cancel(Oid database, std::int64_t run_id, bool (*allowed)(Oid owner)) {
  const Lock lock;
  for (int i = 0; i < TheBoard()->runs; i++) {
    RunSlot& run = Runs()[i];
    if (!IsLive(run) || run.ticket.run_id != run_id || run.ticket.database != database) {
      continue;
    }
    if (!allowed(run.ticket.owner)) {
      return CancelResult::kNotAllowed;
    }
    if (run.cancel == CancelReason::kNotCanceled) {
      run.cancel = CancelReason::kCanceled;
      run.cancel_at = pg::AwakeNow();
      WakeSchedulerOf(database);  // it sees to it that the run obeys
    }
    if (run.state == RunState::kReady) {
      // It may be long until a worker would take it.
      const int pool = FindPool(database, run.ticket.owner);
      WithdrawReady(pool, i);
      DropPoolIfEmpty(pool);
      EndUnstarted(i);
    } else if (run.state == RunState::kRunning && run.pid != 0) {
      // The signal is sent under the lock that End takes: it cannot hit the process's next run.
      kill(run.pid, SIGINT);
    }
    return CancelResult::kCanceled;
  }
  return CancelResult::kNotLive;
}

void CollectEnded(DatabaseEntry* database, std::vector<int>* slots) {
  slots->clear();
  // Memory is taken before the lock: nothing may throw while it is held.
  slots->reserve(static_cast<std::size_t>(TheBoard()->runs));
  const Lock lock;
  for (int i = database->first_ended; i != kNone; i = Runs()[i].next) {
    slots->push_back(i);
  }
  database->first_ended = kNone;
  std::reverse(slots->begin(), slots->end());
}

void CollectAllEnded(DatabaseEntry* database, std::vector<int>* slots) {
  slots->clear();
  slots->reserve(static_cast<std::size_t>(TheBoard()->runs));
  const Lock lock;
  for (int i = 0; i < TheBoard()->runs; i++) {
    if (Runs()[i].state == RunState::kEnded && Runs()[i].ticket.database == database->database) {
      slots->push_back(i);
    }
  }
  database->first_ended = kNone;
}

void Free(const std::vector<int>& slots) {
  const Lock lock;
  for (const int slot : slots) {
    ReturnSlot(slot);
  }
}

void FreeReserved(Oid database) {
  const Lock lock;
  for (int i = 0; i < TheBoard()->runs; i++) {
    if (Runs()[i].state == RunState::kReserved && Runs()[i].ticket.database == database) {
      ReturnSlot(i);
    }
  }
}

namespace {

// As the wall clock counts now; 0: it has not started.
TimestampTz StartOf(const RunSlot& run, const policy::Moment& now) {
  return run.started_at == 0 ? 0 : policy::OnClockOf(now, {run.started_at, run.begun});
}

}  // namespace

void ListRuns(Oid database, std::vector<LiveRun>* out) {
  out->clear();
  out->reserve(static_cast<std::size_t>(TheBoard()->runs));
  const policy::Moment now = pg::Now();
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->runs; i++) {
    const RunSlot& run = Runs()[i];
    if (run.state != RunState::kFree &&
        (!OidIsValid(database) || run.ticket.database == database)) {
      out->push_back({i, run.state, run.cancel, run.terminated, run.ticket, run.pid,
                      StartOf(run, now), run.progress_done, run.progress_remaining, run.walks,
                      run.wait, run.in_the_way, run.committed, run.walk_done, run.outcome.status});
    }
  }
}

int EnforceLimits(Oid database, policy::AwakeTime now, std::int64_t grace,
                  policy::AwakeTime* next) {
  int terminated = 0;
  *next = {};
  const Lock lock;
  for (int i = 0; i < TheBoard()->runs; i++) {
    RunSlot& run = Runs()[i];
    if (run.state != RunState::kRunning || run.ticket.database != database || run.terminated) {
      continue;
    }
    policy::AwakeTime due = DueOf(run, grace);
    const bool is_canceled = run.cancel != CancelReason::kNotCanceled || run.condition_canceled;
    if (due.IsSet() && due <= now && !is_canceled) {
      CancelOverdue(&run);
      due = DueOf(run, grace);
    }
    if (due.IsSet() && due <= now && run.commits) {
      due = now + std::max(grace, kTimerIsLate);  // it hears of it when the commit is over
    }
    if (due.IsSet() && due <= now) {
      kill(run.pid, SIGTERM);
      run.terminated = true;
      terminated++;
    } else if (due.IsSet() && (!next->IsSet() || due < *next)) {
      *next = due;
    }
  }
  return terminated;
}

void PrepareToWait() {
  {
    const Lock lock;
    TheBoard()->run_waiters++;
  }
  ConditionVariablePrepareToSleep(&TheBoard()->run_ended);
}

bool WaitForRun(long timeout_ms) {
  return pg::Call([timeout_ms] {
    return !ConditionVariableTimedSleep(&TheBoard()->run_ended, timeout_ms, PG_WAIT_EXTENSION);
  });
}

void FinishWaiting() {
  ConditionVariableCancelSleep();
  const Lock lock;
  TheBoard()->run_waiters--;
}

void AnnounceRecorded() {
  // A waiter that registers after this look checks the log itself before it sleeps.
  if (TheBoard()->run_waiters > 0) {
    ConditionVariableBroadcast(&TheBoard()->run_ended);
  }
}

}  // namespace ratchet::board
