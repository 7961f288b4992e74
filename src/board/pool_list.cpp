#include "board/pool_list.h"

#include <algorithm>
#include <tuple>

#include "board/state.h"
#include "pg/settings.h"
#include "policy/worker_share.h"

namespace ratchet::board {
namespace {

// A pool that has not asked again within this time has gone away or found what it needed.
constexpr std::int64_t kClaimLifetime = 2 * USECS_PER_SEC;

// It wants no worker any more.
void NothingReady(Pool* pool) {
  if (pool->ready == 0) {
    pool->waiting_since = policy::kNoSteadyTime;
  }
}

bool Claims(const Pool& pool, policy::SteadyTime now) {
  return OidIsValid(pool.database) && pool.waiting_since.IsSet() && pool.asked_at.IsSet() &&
         now - pool.asked_at <= kClaimLifetime;
}

// Whose is less comes first: the role with fewer workers, of one role the pool with fewer, then who
// has waited longer; who does not wait comes last. So nobody starves, and the workers are shared
// out evenly among those who want them, however many databases they have.
std::tuple<int, int, policy::SteadyTime> ClaimOf(const Pool& pool) {
  return {pool.role_workers, pool.workers,
          pool.waiting_since.IsSet() ? pool.waiting_since : policy::kNeverSteady};
}

// The same among the pools of one role that has all its workers.
std::tuple<int, policy::SteadyTime> HeldClaimOf(const Pool& pool, policy::SteadyTime now) {
  return {pool.workers, IsHeld(pool, now) ? pool.held_since : policy::kNeverSteady};
}

}  // namespace

int FindPool(Oid database, Oid role) {
  for (int i = 0; i < TheBoard()->pools; i++) {
    if (Pools()[i].database == database && Pools()[i].role == role) {
      return i;
    }
  }
  return kNone;
}

int FindOrAddPool(Oid database, Oid role) {
  int index = FindPool(database, role);
  if (index != kNone) {
    return index;
  }
  for (int i = 0; i < kPools; i++) {
    if (i == TheBoard()->pools || !OidIsValid(Pools()[i].database)) {
      TheBoard()->pools = std::max(TheBoard()->pools, i + 1);
      Pools()[i] = Pool{};
      Pools()[i].database = database;
      Pools()[i].role = role;
      Pools()[i].first_ready = kNone;
      Pools()[i].last_ready = kNone;
      for (int worker = 0; worker < TheBoard()->workers; worker++) {
        const WorkerSlot& slot = Workers()[worker];
        Pools()[i].role_workers += slot.state != WorkerState::kFree && slot.role == role ? 1 : 0;
      }
      return i;
    }
  }
  return kNone;
}

void DropPoolIfEmpty(int pool) {
  Pool& p = Pools()[pool];
  if (p.ready == 0 && p.workers == 0 && p.failed_starts == 0) {
    p.database = InvalidOid;
    p.waiting_since = policy::kNoSteadyTime;
  }
}

void WithdrawClaims(Oid database) {
  for (int i = 0; i < TheBoard()->pools; i++) {
    Pool& pool = Pools()[i];
    if (pool.database == database) {
      pool.asked_at = policy::kNoSteadyTime;
      pool.held_at = policy::kNoSteadyTime;
    }
  }
}

void AppendReady(int pool, int run) {
  Pool& p = Pools()[pool];
  Runs()[run].next = kNone;
  if (p.last_ready == kNone) {
    p.first_ready = run;
  } else {
    Runs()[p.last_ready].next = run;
  }
  p.last_ready = run;
  p.ready++;
}

int RemoveReady(int pool) {
  Pool& p = Pools()[pool];
  const int run = p.first_ready;
  if (run != kNone) {
    p.first_ready = Runs()[run].next;
    if (p.first_ready == kNone) {
      p.last_ready = kNone;
    }
    p.ready--;
    NothingReady(&p);
  }
  return run;
}

void WithdrawReady(int pool, int run) {
  Pool& p = Pools()[pool];
  int before = kNone;
  for (int i = p.first_ready; i != run; i = Runs()[i].next) {
    before = i;
  }
  if (before == kNone) {
    RemoveReady(pool);
    return;
  }
  Runs()[before].next = Runs()[run].next;
  if (p.last_ready == run) {
    p.last_ready = before;
  }
  p.ready--;
  NothingReady(&p);
}

void WakeIdleWorker(int pool) {
  if (Pools()[pool].idle == 0) {
    return;
  }
  for (int i = 0; i < TheBoard()->workers; i++) {
    WorkerSlot& worker = Workers()[i];
    if (worker.state == WorkerState::kIdle && worker.pool == pool) {
      SetState(&worker, WorkerState::kIdle, WorkerState::kWoken);
      WakeProc(worker.proc);
      return;
    }
  }
}

void CountWorker(int pool, int change) {
  Pools()[pool].workers += change;
  for (int i = 0; i < TheBoard()->pools; i++) {
    Pool& other = Pools()[i];
    if (OidIsValid(other.database) && other.role == Pools()[pool].role) {
      other.role_workers += change;
    }
  }
}

int BestClaim(policy::SteadyTime now) {
  int best = kNone;
  for (int i = 0; i < TheBoard()->pools; i++) {
    const Pool& pool = Pools()[i];
    if (Claims(pool, now) && (best == kNone || ClaimOf(pool) < ClaimOf(Pools()[best]))) {
      best = i;
    }
  }
  return best;
}

int BetterClaim(int pool, policy::SteadyTime now) {
  int best = kNone;
  for (int i = 0; i < TheBoard()->pools; i++) {
    const Pool& other = Pools()[i];
    if (i != pool && Claims(other, now) && ClaimOf(other) < ClaimOf(Pools()[pool]) &&
        (best == kNone || ClaimOf(other) < ClaimOf(Pools()[best]))) {
      best = i;
    }
  }
  return best;
}

int RoomOfRole(int pool) {
  return policy::MostWorkersOfRole(pg::settings.max_workers_per_role, TheBoard()->workers) -
         Pools()[pool].role_workers;
}

void NoteHeld(int pool, policy::SteadyTime now) {
  Pool& p = Pools()[pool];
  p.waiting_since = policy::kNoSteadyTime;
  if (!IsHeld(p, now)) {
    p.held_since = now;
  }
  p.held_at = now;
}

bool IsHeld(const Pool& pool, policy::SteadyTime now) {
  return pool.held_at.IsSet() && now - pool.held_at <= kClaimLifetime;
}

int BestClaimInRole(Oid role, policy::SteadyTime now) {
  int best = kNone;
  for (int i = 0; i < TheBoard()->pools; i++) {
    const Pool& pool = Pools()[i];
    if (OidIsValid(pool.database) && pool.role == role && pool.ready > 0 && IsHeld(pool, now) &&
        (best == kNone || HeldClaimOf(pool, now) < HeldClaimOf(Pools()[best], now))) {
      best = i;
    }
  }
  return best;
}

int BetterClaimInRole(int pool, policy::SteadyTime now) {
  const int best = BestClaimInRole(Pools()[pool].role, now);
  const bool is_better = best != kNone && best != pool &&
                         HeldClaimOf(Pools()[best], now) < HeldClaimOf(Pools()[pool], now);
  return is_better ? best : kNone;
}

}  // namespace ratchet::board
