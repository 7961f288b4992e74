#include "board/pool_view.h"

#include <algorithm>

#include "board/pool_list.h"
#include "board/worker_list.h"
#include "pg/clock.h"
#include "pg/settings.h"
#include "policy/worker_share.h"

namespace ratchet::board {

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
