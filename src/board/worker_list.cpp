#include "board/worker_list.h"

#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/state.h"

namespace ratchet::board {
namespace {

// A process could not be started: tried again several times within this time as long as work waits.
constexpr std::int64_t kShortageLifetime = USECS_PER_SEC;

}  // namespace

int FreeWorker() {
  for (int i = 0; i < TheBoard()->workers; i++) {
    if (Workers()[i].state == WorkerState::kFree) {
      return i;
    }
  }
  return kNone;
}

void ReleaseWorker(WorkerSlot& worker) {
  const int pool = worker.pool;
  CountWorker(pool, -1);
  SetState(&worker, worker.state, WorkerState::kFree);
  worker.pid = 0;
  worker.proc = kNone;
  worker.run = kNone;
  worker.pool = kNone;
  worker.generation++;
  DropPoolIfEmpty(pool);
}

void OfferSlot(Oid role, policy::SteadyTime now) {
  const int best = BestClaim(now);
  if (best != kNone) {
    WakeSchedulerOf(Pools()[best].database);
  }
  const int held = BestClaimInRole(role, now);
  if (held != kNone) {
    WakeSchedulerOf(Pools()[held].database);
  }
}

bool DismissOneIdle(int pool, Oid of) {
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
  SetState(&Workers()[oldest], WorkerState::kIdle, WorkerState::kLeaving);
  WakeProc(Workers()[oldest].proc);
  return true;
}

bool ProcessesAreShort(policy::SteadyTime now) {
  return TheBoard()->processes_short_at.IsSet() &&
         now - TheBoard()->processes_short_at < kShortageLifetime;
}

}  // namespace ratchet::board
