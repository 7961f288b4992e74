// For the scheduler: processes of workers, from the wish to have one until it has taken its place.
#pragma once

#include "board/board.h"

namespace ratchet::board {

enum class WorkerGrant {
  kGranted,     // *worker is reserved: start the process
  kAllInUse,    // the pool waits in line, and so it does in the next two cases
  kNoProcess,   // a moment ago none could be started, and somebody else tries next
  kNotItsTurn,  // another role or database comes first
  kRoleIsFull,  // the role has all that it may have: the pool is held
  kNoPool,      // no ready run
};

// Asks for one more worker for the pool. When all are in use, an idle worker of another pool is
// asked to leave.
WorkerGrant ReserveWorker(Oid database, Oid role, policy::SteadyTime now, int* worker,
                          std::uint32_t* generation);
// The process could not be registered.
void UnreserveWorker(int worker, policy::SteadyTime now);

// The pool wants no worker for now, whatever is ready: it is in nobody's way.
void StandAside(Oid database, Oid role);

// A process of ours could not be registered.
void NoteProcessShortage(policy::SteadyTime now);

// Whether the process has taken its place (or has come and gone).
bool HasAttached(int worker, std::uint32_t generation);
// The process ended before it took its place.
void UnreserveUnattached(int worker, std::uint32_t generation, policy::SteadyTime now);

// Gives back the places of processes that have not come, and whose scheduler has left before it
// could notice. For the launcher: a process that comes all the same finds its place taken, and
// leaves. Returns how many there were.
int ReapLost(policy::SteadyTime now);

// Work of the pool is left because its role has all the workers that it may have. Good for seconds:
// it is said again as long as it is so.
void NoteHeldPool(Oid database, Oid role, policy::SteadyTime now);
// Workers of the pool that could not start (FATAL before their first run) since the last call:
// their number, and the last one's error.
int TakeFailedStarts(Oid database, Oid role, int* sqlstate, char* message, std::size_t size);

}  // namespace ratchet::board
