#include "board/pool_list.h"

#include <algorithm>

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
      worker.state = WorkerState::kWoken;
      Pools()[pool].idle--;
      WakeProc(worker.proc);
      return;
    }
  }
}

// Fewer workers first, then who has waited longer: nobody starves, and the pool is shared out
// evenly among those who want it.
int BetterClaim(int pool, policy::SteadyTime now) {
  const Pool& own = Pools()[pool];
  int best = kNone;
  for (int i = 0; i < TheBoard()->pools; i++) {
    const Pool& other = Pools()[i];
    if (i == pool || !OidIsValid(other.database) || !other.waiting_since.IsSet() ||
        now - other.asked_at > kClaimLifetime) {
      continue;
    }
    const bool better = other.workers < own.workers ||
                        (other.workers == own.workers &&
                         (!own.waiting_since.IsSet() || other.waiting_since < own.waiting_since));
    if (better && (best == kNone || other.workers < Pools()[best].workers ||
                   (other.workers == Pools()[best].workers &&
                    other.waiting_since < Pools()[best].waiting_since))) {
      best = i;
    }
  }
  return best;
}

}  // namespace ratchet::board
