#include "board/worker_board.h"

#include <algorithm>
#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/run_board.h"
#include "board/run_list.h"
#include "board/state.h"
#include "board/worker_list.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/settings.h"
#include "policy/worker_share.h"

extern "C" {
#include "port.h"
#include "storage/proc.h"
}

#include <csignal>

namespace ratchet::board {
namespace {

// This process's place, for the exit callback.
int my_worker = kNone;
bool had_a_run = false;

// Somebody will ask why the process could not start.
bool IsLookedAfter(Oid database) {
  const DatabaseEntry* entry = FindEntry(database);
  return entry != nullptr && entry->state != DatabaseState::kAbsent;
}

// Whether a worker of this pool that was busy for so long makes room for somebody.
bool HasToGiveWay(int pool, std::int64_t turn, policy::SteadyTime now) {
  const Pool& own = Pools()[pool];
  if (FreeWorker() == kNone || ProcessesAreShort(now)) {
    const int better = BetterClaim(pool, now);
    const bool same_role = better != kNone && Pools()[better].role == own.role;
    if (better != kNone &&
        policy::ShouldGiveWay(same_role ? own.workers : own.role_workers,
                              same_role ? Pools()[better].workers : Pools()[better].role_workers,
                              turn)) {
      return true;
    }
  }
  const int room = RoomOfRole(pool);
  const int held = room == 0 ? BetterClaimInRole(pool, now) : kNone;
  return room < 0 ||
         (held != kNone && policy::ShouldGiveWay(own.workers, Pools()[held].workers, turn));
}

}  // namespace

bool AttachWorker(int worker, std::uint32_t generation, Oid* database, Oid* role) {
  const Lock lock;
  WorkerSlot& slot = Workers()[worker];
  if (slot.generation != generation) {
    return false;
  }
  if (slot.state != WorkerState::kStarting) {
    ReleaseWorker(slot);  // asked to leave before it was there
    return false;
  }
  SetState(&slot, WorkerState::kStarting, WorkerState::kWoken);
  slot.pid = MyProcPid;
  slot.proc = pg::MyPlaceInAllProcs();
  *database = slot.database;
  *role = slot.role;
  my_worker = worker;
  return true;
}

// No error may be raised, nothing may be allocated.
void DetachWorker() {
  if (my_worker == kNone) {
    return;
  }
  const policy::Moment now = pg::Now();
  const pg::LastWords& words = pg::TheLastWords();
  const Lock lock;
  WorkerSlot& worker = Workers()[my_worker];
  if (worker.run != kNone) {
    static RunOutcome lost;
    const RunSlot& run = Runs()[worker.run];
    lost.status = run.cancel == CancelReason::kCanceled   ? policy::RunStatus::kCanceled
                  : run.cancel == CancelReason::kTimedOut ? policy::RunStatus::kTimedOut
                  : run.terminated                        ? policy::RunStatus::kFailed
                                                          : policy::RunStatus::kCrashed;
    lost.recorded = false;
    lost.condition_failed = run.condition_until.IsSet();
    lost.finished_at = now.wall;
    lost.counters = run.committed;
    lost.own = {};
    SetLastWords(&lost, words);
    EndLocked(worker.run, lost);
  } else if (!had_a_run && worker.state != WorkerState::kIdle &&
             worker.state != WorkerState::kLeaving && words.sqlstate != 0 &&
             words.sqlstate != ERRCODE_ADMIN_SHUTDOWN && words.sqlstate != ERRCODE_CRASH_SHUTDOWN &&
             IsLookedAfter(worker.database)) {
    Pool& pool = Pools()[worker.pool];
    pool.failed_starts++;
    pool.sqlstate = words.sqlstate;
    strlcpy(pool.last_words, words.message, sizeof(pool.last_words));
    WakeSchedulerOf(pool.database);
  }
  const int pool = worker.pool;
  const Oid database = worker.database;
  const Oid role = worker.role;
  const bool work_left = Pools()[pool].ready > 0;
  ReleaseWorker(worker);
  if (work_left) {
    // It was woken for this work, perhaps: somebody else must look at it.
    WakeIdleWorker(pool);
    WakeSchedulerOf(database);
  }
  OfferSlot(role, now.steady);
  my_worker = kNone;
}

Turn Take(int worker, const policy::Moment& now, int* run) {
  const Lock lock;
  WorkerSlot& slot = Workers()[worker];
  Pool& pool = Pools()[slot.pool];
  if (slot.state == WorkerState::kLeaving) {
    return Turn::kLeave;
  }
  if (pool.ready > 0 && had_a_run &&
      HasToGiveWay(slot.pool, now.steady - slot.turn_since, now.steady)) {
    SetState(&slot, slot.state, WorkerState::kLeaving);
    return Turn::kLeave;
  }
  const int next = RemoveReady(slot.pool);
  if (next == kNone) {
    if (slot.state != WorkerState::kIdle) {
      SetState(&slot, slot.state, WorkerState::kIdle);
      slot.since = now.steady;
    }
    return Turn::kNothing;
  }
  if (slot.state != WorkerState::kBusy) {
    slot.turn_since = now.steady;
  }
  SetState(&slot, slot.state, WorkerState::kBusy);
  slot.since = now.steady;
  slot.run = next;
  had_a_run = true;
  RunSlot& taken = Runs()[next];
  SetState(&taken, RunState::kReady, RunState::kRunning);
  taken.worker = worker;
  taken.proc = slot.proc;
  taken.pid = slot.pid;
  SetStarted(&taken, now);
  taken.next = kNone;
  *run = next;
  return Turn::kRun;
}

bool Leave(int worker) {
  const Lock lock;
  WorkerSlot& slot = Workers()[worker];
  if (slot.state == WorkerState::kWoken || Pools()[slot.pool].ready > 0) {
    return false;
  }
  SetState(&slot, slot.state, WorkerState::kLeaving);
  return true;
}

bool WorkerIsWantedElsewhere(int run) {
  const Lock lock(LW_SHARED);
  const WorkerSlot& own = Workers()[Runs()[run].worker];
  if (own.state == WorkerState::kLeaving || Pools()[own.pool].ready > 0) {
    return true;
  }
  for (int i = 0; i < TheBoard()->pools; i++) {
    if (OidIsValid(Pools()[i].database) && Pools()[i].waiting_since.IsSet()) {
      return true;
    }
  }
  return false;
}

int DismissWorkers(Oid database) {
  const Lock lock;
  int there = 0;
  for (int i = 0; i < TheBoard()->workers; i++) {
    WorkerSlot& worker = Workers()[i];
    if (worker.state == WorkerState::kFree || worker.database != database) {
      continue;
    }
    there++;
    SetState(&worker, worker.state, WorkerState::kLeaving);
    WakeProc(worker.proc);
  }
  return there;
}

}  // namespace ratchet::board
