#include "board/run_board.h"

#include <algorithm>
#include <cstring>

#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/run_list.h"
#include "board/state.h"
#include "pg/clock.h"
#include "pg/compat.h"

extern "C" {
#include "storage/proc.h"
}

#include <csignal>

namespace ratchet::board {
namespace {

// Callers of these hold the lock.

// A run that ended but whose process still is in the transaction counts as live for its job: a
// foreground session ends its run only when its transaction is over.
const RunSlot* FindLiveRunOfJob(const RunTicket& ticket, bool foreground_only) {
  for (int i = 0; i < TheBoard()->runs; i++) {
    const RunSlot& run = Runs()[i];
    if (IsLive(run) && run.ticket.job_id == ticket.job_id &&
        run.ticket.database == ticket.database && run.ticket.incarnation == ticket.incarnation &&
        (run.ticket.foreground || !foreground_only)) {
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

// A run that nobody has in hand.
void EndUnstarted(int slot) {
  static RunOutcome canceled;
  canceled.status = policy::RunStatus::kCanceled;
  canceled.finished_at = GetCurrentTimestamp();
  EndLocked(slot, canceled);
}

}  // namespace

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
  SetState(&run, RunState::kReserved, RunState::kReady);
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
  DropPoolIfEmpty(index);
}

void SetLastWords(RunOutcome* outcome, const pg::LastWords& words) {
  outcome->sqlstate = words.sqlstate;
  std::memset(outcome->text, 0, sizeof(outcome->text));
  strlcpy(outcome->text, words.message, sizeof(words.message));
  strlcpy(outcome->text + std::strlen(outcome->text) + 1, words.detail, sizeof(words.detail));
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

Oid CanceledBy(int slot) {
  const Lock lock(LW_SHARED);
  return Runs()[slot].canceled_by;
}

CancelResult Cancel(Oid database, std::int64_t run_id, Oid by, bool (*allowed)(Oid owner)) {
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
      run.canceled_by = by;
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

bool CollectEnded(DatabaseEntry* database, std::vector<int>* slots) {
  slots->clear();
  // Memory is taken before the lock: nothing may throw while it is held.
  slots->reserve(static_cast<std::size_t>(TheBoard()->runs));
  const Lock lock;
  return TakeEndedOf(database, database->incarnation, slots);
}

void CollectAllEnded(DatabaseEntry* database, std::vector<int>* slots) {
  slots->clear();
  slots->reserve(static_cast<std::size_t>(TheBoard()->runs));
  const Lock lock;
  TakeEndedOf(database, database->incarnation, slots);
  slots->clear();
  for (int i = 0; i < TheBoard()->runs; i++) {
    const RunSlot& run = Runs()[i];
    if (run.state == RunState::kEnded && run.ticket.database == database->database &&
        run.ticket.incarnation == database->incarnation) {
      slots->push_back(i);
    }
  }
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

}  // namespace ratchet::board
