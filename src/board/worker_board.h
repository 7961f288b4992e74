// The pool of workers: how a process takes its place, the runs that it takes, and how it leaves.
// state.h draws the states.
#pragma once

#include <vector>

#include "board/board.h"

namespace ratchet::board {

// ---- For the worker ----------------------------------------------------------------------------

// Takes possession of the slot; false when it was given to somebody else since.
bool AttachWorker(int worker, std::uint32_t generation, Oid* database, Oid* role);
// In an exit callback, in whatever state the process is: gives the slot back, and ends the run in
// hand as lost, for which the scheduler records the last words of the process. No harm if it has
// none. To be called when the transaction and its locks are gone.
void DetachWorker();

enum class Turn { kRun, kNothing, kLeave };
// The next ready run of the pool. kNothing: the worker is now idle and sleeps on its latch; kLeave:
// it must exit (asked to, or a pool with a better claim waits and this one had its turn).
Turn Take(int worker, const policy::Moment& now, int* run);
// For an idle worker that wants to exit: false when it has been given work at the same time.
bool Leave(int worker);

// For a run that waits for work in this process: whether there is other work for it, or somebody
// who waits for a worker.
bool WorkerIsWantedElsewhere(int run);

// ---- For others --------------------------------------------------------------------------------

// Asks the workers of the database to leave, busy ones after their run. Returns how many are there.
int DismissWorkers(Oid database);

}  // namespace ratchet::board
