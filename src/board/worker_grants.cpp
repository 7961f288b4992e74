#include "board/worker_grants.h"

#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/state.h"
#include "board/worker_list.h"

extern "C" {
#include "miscadmin.h"
#include "port.h"
}

namespace ratchet::board {
namespace {

// A process that has not taken its place after this time may still be on its way, on a server that
// is very busy.
constexpr std::int64_t kStartPatience = 10 * USECS_PER_SEC;

// Of a database, and still there: it looks after the processes that it has asked for.
bool IsScheduler(pid_t pid) {
  for (int i = 0; i < TheBoard()->databases; i++) {
    if (OidIsValid(Databases()[i].database) && Databases()[i].scheduler().pid == pid) {
      return true;
    }
  }
  return false;
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
    return WorkerGrant::kAllInUse;
  }
  const int better = BetterClaim(index, now);
  if (better != kNone) {
    Wait(pool, now);
    WakeSchedulerOf(Pools()[better].database);
    return ProcessesAreShort(now) ? WorkerGrant::kNoProcess : WorkerGrant::kNotItsTurn;
  }
  pool.waiting_since = policy::kNoSteadyTime;
  CountWorker(index, 1);
  WorkerSlot& reserved = Workers()[slot];
  reserved.database = database;
  reserved.role = role;
  reserved.pool = index;
  SetState(&reserved, WorkerState::kFree, WorkerState::kStarting);
  reserved.starter = MyProcPid;
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
  ReleaseWorker(Workers()[worker]);
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

int ReapLost(policy::SteadyTime now) {
  const Lock lock;
  int lost = 0;
  for (int i = 0; i < TheBoard()->workers; i++) {
    WorkerSlot& worker = Workers()[i];
    if (worker.state != WorkerState::kFree && worker.pid == 0 &&
        now - worker.since > kStartPatience && !IsScheduler(worker.starter)) {
      const Oid role = worker.role;
      ReleaseWorker(worker);
      OfferSlot(role, now);
      lost++;
    }
  }
  return lost;
}

void NoteHeldPool(Oid database, Oid role, policy::SteadyTime now) {
  const Lock lock;
  const int index = FindPool(database, role);
  if (index != kNone) {
    NoteHeld(index, now);
  }
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

}  // namespace ratchet::board
