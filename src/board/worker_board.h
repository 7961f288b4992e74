// The pool of workers: the only place where a worker's state changes.
//
//            ReserveWorker      Attach        Take                Take: nothing left
//   kFree ───────────────▶ kStarting ──▶ kBusy ◀──▶ run ──▶ kIdle ──WakeIdleWorker──▶ kWoken ─▶
//   kBusy
//     ▲                       │                      │
//     └──── Leave / the process's exit (any state) ◀─┴── kLeaving (asked to go)
#pragma once

#include <vector>

#include "board/board.h"

namespace ratchet::board {

enum class WorkerGrant {
  kGranted,     // *worker is reserved: start the process
  kNotNow,      // all are in use, or somebody else comes first; the pool waits in line
  kRoleIsFull,  // the role has all that it may have: the pool is held
  kNoPool,      // no ready run
};

// For the scheduler: asks for one more worker for the pool. When all are in use, an idle worker of
// another pool is asked to leave.
WorkerGrant ReserveWorker(Oid database, Oid role, policy::SteadyTime now, int* worker,
                          std::uint32_t* generation);
// The process could not be registered.
void UnreserveWorker(int worker, policy::SteadyTime now);

// The pool wants no worker for now, whatever is ready: it is in nobody's way.
void StandAside(Oid database, Oid role);

// A process of ours could not be registered.
void NoteProcessShortage(policy::SteadyTime now);

// Since when runs wait for a worker, of whichever database; 0: none does.
policy::SteadyTime WorkersShortSince();

// A free place is of no use while no process can be started for it.
bool ProcessesAreShort(policy::SteadyTime now);

// Whether the process has taken its place (or has come and gone).
bool HasAttached(int worker, std::uint32_t generation);
// The process ended before it took its place.
void UnreserveUnattached(int worker, std::uint32_t generation, policy::SteadyTime now);

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
// Work of the pool is left because its role has all the workers that it may have. Good for seconds:
// it is said again as long as it is so.
void NoteHeldPool(Oid database, Oid role, policy::SteadyTime now);
// The pools of which that is so.
struct HeldPool {
  Oid database;
  Oid role;
  int role_workers;
  policy::SteadyTime since;
};
std::vector<HeldPool> ListHeldPools();
// Workers of the pool that could not start (FATAL before their first run) since the last call:
// their number, and the last one's error.
int TakeFailedStarts(Oid database, Oid role, int* sqlstate, char* message, std::size_t size);

// ---- For the worker ----------------------------------------------------------------------------

// Takes possession of the slot; false when it was given to somebody else since. The slot is given
// back, and a run in hand ended as lost, when the process exits, however it exits.
bool AttachWorker(int worker, std::uint32_t generation, Oid* database, Oid* role);

enum class Turn { kRun, kNothing, kLeave };
// The next ready run of the pool. kNothing: the worker is now idle and sleeps on its latch; kLeave:
// it must exit (asked to, or a pool with a better claim waits and this one had its turn).
Turn Take(int worker, const policy::Moment& now, int* run);
// For an idle worker that wants to exit: false when it has been given work at the same time.
bool Leave(int worker);

// The error of which this process is about to die: what the scheduler records if a run is in hand.
void SetLastWords(int sqlstate, const char* message);

// ---- For others --------------------------------------------------------------------------------

// Asks the workers of the database to leave, busy ones after their run. Returns how many are there.
int DismissWorkers(Oid database);

void ListWorkers(std::vector<WorkerSlot>* out);

}  // namespace ratchet::board
