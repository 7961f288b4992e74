// Copies of pools and workers, for who looks at them.
#pragma once

#include <vector>

#include "board/board.h"

namespace ratchet::board {

// The pool as it is now; ready and workers are 0 when there is none of its own.
struct PoolView {
  int ready;
  int workers;
  int starting;  // or woken: about to look for a run
  int idle;
  int free;  // places that the role may have, those included where others rest
  bool role_is_full;
  policy::SteadyTime waiting_since;
  bool is_held;
  policy::SteadyTime held_at;
  // When a worker that is busy now took its run, the latest; not set: none is busy.
  policy::SteadyTime last_take;
};
PoolView ViewPool(Oid database, Oid role, policy::SteadyTime now);

// Pools whose role has all the workers that it may have, and that have more to do.
struct HeldPool {
  Oid database;
  Oid role;
  int role_workers;
  policy::SteadyTime since;
};
std::vector<HeldPool> ListHeldPools();

// Since when runs wait for a worker, of whichever database; not set: none does.
policy::SteadyTime WorkersShortSince();

void ListWorkers(std::vector<WorkerSlot>* out);

}  // namespace ratchet::board
