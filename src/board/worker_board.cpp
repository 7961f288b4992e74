#include "board/worker_board.h"

#include <algorithm>
#include <cstring>

#include "board/database_list.h"
#include "board/pool_list.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/settings.h"
#include "policy/worker_share.h"

extern "C" {
#include "port.h"
#include "storage/ipc.h"
#include "storage/proc.h"
}

#include <csignal>

namespace ratchet::board {
namespace {

// A process could not be started: tried again several times within this time as long as work waits.
constexpr std::int64_t kShortageLifetime = USECS_PER_SEC;

// This process's place, for the exit callback.
int my_worker = kNone;
bool had_a_run = false;
int last_sqlstate = 0;
char last_message[256] = "";

void ReleaseSlot(WorkerSlot& worker) {
  const int pool = worker.pool;
  if (worker.state == WorkerState::kIdle) {
    Pools()[pool].idle--;
  }
  CountWorker(pool, -1);
  worker.state = WorkerState::kFree;
  worker.pid = 0;
  worker.proc = kNone;
  worker.run = kNone;
  worker.pool = kNone;
  worker.generation++;
  DropPoolIfEmpty(pool);
}

// A slot that was the role's is free: whoever waits has the word.
void OfferSlot(Oid role, policy::SteadyTime now) {
  const int best = BestClaim();
  if (best != kNone) {
    Pools()[best].asked_at = now;
    WakeSchedulerOf(Pools()[best].database);
  }
  const int held = BestClaimInRole(role, now);
  if (held != kNone) {
    WakeSchedulerOf(Pools()[held].database);
  }
}

// Frees an idle worker of another pool, the one that has been idle for longest. `of`: the role
// whose one it must be, InvalidOid: of whichever.
bool DismissOneIdle(int pool, Oid of = InvalidOid) {
  int oldest = kNone;
  for (int i = 0; i < TheBoard()->workers; i++) {
    const WorkerSlot& worker = Workers()[i];
    if (worker.state == WorkerState::kFree || (OidIsValid(of) && worker.role != of)) {
      continue;
    }
    if (worker.state == WorkerState::kLeaving && worker.run == kNone) {
      return true;  // a slot is about to be free already
    }
    if (worker.state == WorkerState::kIdle && worker.pool != pool &&
        (oldest == kNone || worker.since < Workers()[oldest].since)) {
      oldest = i;
    }
  }
  if (oldest == kNone) {
    return false;
  }
  Workers()[oldest].state = WorkerState::kLeaving;
  Pools()[Workers()[oldest].pool].idle--;
  WakeProc(Workers()[oldest].proc);
  return true;
}

// Runs in whatever state the process is: no error may be raised, nothing may be allocated.
void WorkerGone(int /*code*/, Datum /*argument*/) {
  if (my_worker == kNone) {
    return;
  }
  const policy::Moment now = pg::Now();
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
    lost.sqlstate = last_sqlstate;
    lost.finished_at = now.wall;
    lost.counters = run.committed;
    lost.own = {};
    std::memset(lost.text, 0, sizeof(lost.text));
    strlcpy(lost.text, last_message, sizeof(last_message));
    EndLocked(worker.run, lost);
  } else if (!had_a_run && worker.state != WorkerState::kIdle &&
             worker.state != WorkerState::kLeaving && last_sqlstate != 0 &&
             last_sqlstate != ERRCODE_ADMIN_SHUTDOWN && last_sqlstate != ERRCODE_CRASH_SHUTDOWN) {
    Pool& pool = Pools()[worker.pool];
    pool.failed_starts++;
    pool.sqlstate = last_sqlstate;
    strlcpy(pool.last_words, last_message, sizeof(pool.last_words));
    WakeSchedulerOf(pool.database);
  }
  const int pool = worker.pool;
  const Oid database = worker.database;
  const Oid role = worker.role;
  const bool work_left = Pools()[pool].ready > 0;
  ReleaseSlot(worker);
  if (work_left) {
    // It was woken for this work, perhaps: somebody else must look at it.
    WakeIdleWorker(pool);
    WakeSchedulerOf(database);
  }
  OfferSlot(role, now.steady);
  my_worker = kNone;
}

int FreeWorker() {
  for (int i = 0; i < TheBoard()->workers; i++) {
    if (Workers()[i].state == WorkerState::kFree) {
      return i;
    }
  }
  return kNone;
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

// Without ready runs it wants no worker: others have done what there was.
void Wait(Pool& pool, policy::SteadyTime now) {
  if (pool.ready == 0) {
    return;
  }
  if (!pool.waiting_since.IsSet()) {
    pool.waiting_since = now;
  }
  pool.asked_at = now;
}

}  // namespace

bool ProcessesAreShort(policy::SteadyTime now) {
  return TheBoard()->processes_short_at.IsSet() &&
         now - TheBoard()->processes_short_at < kShortageLifetime;
}

WorkerGrant ReserveWorker(Oid database, Oid role, policy::SteadyTime now, int* worker,
                          std::uint32_t* generation) {
  const Lock lock;
  const int index = FindPool(database, role);
  if (index == kNone) {
    return WorkerGrant::kNoPool;
  }
  Pool& pool = Pools()[index];
  const int room = RoomOfRole(index);
  const int before = room == 1 ? BetterClaimInRole(index, now) : kNone;
  if (room <= 0 || before != kNone) {
    NoteHeld(index, now);
    if (before != kNone) {
      WakeSchedulerOf(Pools()[before].database);
    } else {
      DismissOneIdle(index, role);
    }
    return WorkerGrant::kRoleIsFull;
  }
  const int slot = FreeWorker();
  if (slot == kNone) {
    Wait(pool, now);
    DismissOneIdle(index);
    return WorkerGrant::kNotNow;
  }
  const int better = BetterClaim(index, now);
  if (better != kNone) {
    Wait(pool, now);
    WakeSchedulerOf(Pools()[better].database);
    return WorkerGrant::kNotNow;
  }
  pool.waiting_since = policy::kNoSteadyTime;
  CountWorker(index, 1);
  WorkerSlot& reserved = Workers()[slot];
  reserved.state = WorkerState::kStarting;
  reserved.database = database;
  reserved.role = role;
  reserved.pool = index;
  reserved.proc = kNone;
  reserved.pid = 0;
  reserved.run = kNone;
  reserved.since = now;
  reserved.turn_since = now;
  *worker = slot;
  *generation = reserved.generation;
  return WorkerGrant::kGranted;
}

void UnreserveWorker(int worker, policy::SteadyTime now) {
  const Lock lock;
  TheBoard()->processes_short_at = now;
  const int index = Workers()[worker].pool;
  Pools()[index].ready++;  // keeps the entry, whose claim must stand, while the slot is released
  ReleaseSlot(Workers()[worker]);
  Pools()[index].ready--;
  Wait(Pools()[index], now);
  DropPoolIfEmpty(index);
  DismissOneIdle(index);  // its process is what is missing
}

void StandAside(Oid database, Oid role) {
  const Lock lock;
  const int index = FindPool(database, role);
  if (index != kNone) {
    Pools()[index].waiting_since = policy::kNoSteadyTime;
  }
}

void NoteProcessShortage(policy::SteadyTime now) {
  const Lock lock;
  TheBoard()->processes_short_at = now;
}

bool HasAttached(int worker, std::uint32_t generation) {
  const Lock lock(LW_SHARED);
  const WorkerSlot& slot = Workers()[worker];
  return slot.generation != generation || slot.pid != 0;
}

void UnreserveUnattached(int worker, std::uint32_t generation, policy::SteadyTime now) {
  if (!HasAttached(worker, generation)) {
    UnreserveWorker(worker, now);
  }
}

PoolView ViewPool(Oid database, Oid role, policy::SteadyTime now) {
  const Lock lock(LW_SHARED);
  PoolView view{};
  const int index = FindPool(database, role);
  if (index != kNone) {
    const Pool& pool = Pools()[index];
    view.ready = pool.ready;
    view.workers = pool.workers;
    view.idle = pool.idle;
    view.waiting_since = pool.waiting_since;
    view.is_held = IsHeld(pool, now);
    view.held_at = pool.held_at;
  }
  int of_role = 0;
  for (int i = 0; i < TheBoard()->workers; i++) {
    const WorkerSlot& worker = Workers()[i];
    const bool is_own = index != kNone && worker.pool == index;
    // One that rests leaves when its place is wanted.
    const bool in_use =
        worker.state != WorkerState::kFree && (worker.state != WorkerState::kIdle || is_own);
    view.free += in_use ? 0 : 1;
    of_role += in_use && worker.role == role ? 1 : 0;
    if (is_own && worker.state == WorkerState::kBusy) {
      view.last_take = std::max(view.last_take, worker.since);
    }
    if (is_own && (worker.state == WorkerState::kStarting || worker.state == WorkerState::kWoken)) {
      view.starting++;
    }
  }
  const int most =
      policy::MostWorkersOfRole(pg::settings.max_workers_per_role, TheBoard()->workers);
  view.role_is_full = of_role >= most;
  view.free = std::min(view.free, std::max(most - of_role, 0));
  return view;
}

void NoteHeldPool(Oid database, Oid role, policy::SteadyTime now) {
  const Lock lock;
  const int index = FindPool(database, role);
  if (index != kNone) {
    NoteHeld(index, now);
  }
}

std::vector<HeldPool> ListHeldPools() {
  std::vector<HeldPool> held;
  held.reserve(kPools);
  const policy::SteadyTime now = pg::SteadyNow();
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->pools; i++) {
    const Pool& pool = Pools()[i];
    if (OidIsValid(pool.database) && IsHeld(pool, now)) {
      held.push_back({pool.database, pool.role, pool.role_workers, pool.held_since});
    }
  }
  return held;
}

policy::SteadyTime WorkersShortSince() {
  const Lock lock(LW_SHARED);
  policy::SteadyTime since{};
  if (FreeWorker() != kNone) {
    return since;  // what is missing is a process
  }
  const auto sooner = [&since](policy::SteadyTime at) {
    since = at.IsSet() && (!since.IsSet() || at < since) ? at : since;
  };
  for (int i = 0; i < TheBoard()->pools; i++) {
    if (OidIsValid(Pools()[i].database)) {
      sooner(Pools()[i].waiting_since);
    }
  }
  for (int i = 0; i < TheBoard()->databases; i++) {
    if (OidIsValid(Databases()[i].database)) {
      sooner(Databases()[i].work_waits_since);
    }
  }
  return since;
}

int TakeFailedStarts(Oid database, Oid role, int* sqlstate, char* message, std::size_t size) {
  const Lock lock;
  const int index = FindPool(database, role);
  if (index == kNone) {
    return 0;
  }
  Pool& pool = Pools()[index];
  const int failed = pool.failed_starts;
  pool.failed_starts = 0;
  *sqlstate = pool.sqlstate;
  strlcpy(message, pool.last_words, size);
  DropPoolIfEmpty(index);
  return failed;
}

bool AttachWorker(int worker, std::uint32_t generation, Oid* database, Oid* role) {
  const Lock lock;
  WorkerSlot& slot = Workers()[worker];
  if (slot.generation != generation) {
    return false;
  }
  if (slot.state != WorkerState::kStarting) {
    ReleaseSlot(slot);  // asked to leave before it was there
    return false;
  }
  slot.state = WorkerState::kWoken;
  slot.pid = MyProcPid;
  slot.proc = pg::MyPlaceInAllProcs();
  *database = slot.database;
  *role = slot.role;
  my_worker = worker;
  // Late among the exit callbacks: the transaction and its locks are gone when the run counts as
  // ended.
  on_shmem_exit(WorkerGone, 0);
  return true;
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
    slot.state = WorkerState::kLeaving;
    return Turn::kLeave;
  }
  const int next = RemoveReady(slot.pool);
  if (next == kNone) {
    if (slot.state != WorkerState::kIdle) {
      slot.state = WorkerState::kIdle;
      slot.since = now.steady;
      pool.idle++;
    }
    return Turn::kNothing;
  }
  if (slot.state == WorkerState::kIdle) {
    pool.idle--;
  }
  if (slot.state != WorkerState::kBusy) {
    slot.turn_since = now.steady;
  }
  slot.state = WorkerState::kBusy;
  slot.since = now.steady;
  slot.run = next;
  had_a_run = true;
  RunSlot& taken = Runs()[next];
  taken.state = RunState::kRunning;
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
  if (slot.state == WorkerState::kIdle) {
    Pools()[slot.pool].idle--;
  }
  slot.state = WorkerState::kLeaving;
  return true;
}

void SetLastWords(int sqlstate, const char* message) {
  last_sqlstate = sqlstate;
  strlcpy(last_message, message != nullptr ? message : "", sizeof(last_message));
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
    if (worker.state == WorkerState::kIdle) {
      Pools()[worker.pool].idle--;
    }
    worker.state = WorkerState::kLeaving;
    WakeProc(worker.proc);
  }
  return there;
}

void ListWorkers(std::vector<WorkerSlot>* out) {
  out->clear();
  out->reserve(static_cast<std::size_t>(TheBoard()->workers));
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->workers; i++) {
    if (Workers()[i].state != WorkerState::kFree) {
      out->push_back(Workers()[i]);
    }
  }
}

}  // namespace ratchet::board
