// The pool of workers: how a process takes its place, the runs that it takes, and how it leaves.
// state.h draws the states.
#pragma once

#include <vector>

#include "board/board.h"

namespace ratchet::board {

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

// For a run that waits for work in this process: whether there is other work for it, or somebody
// who waits for a worker.
bool WorkerIsWantedElsewhere(int run);

// The error of which this process is about to die: what the scheduler records if a run is in hand.
void SetLastWords(int sqlstate, const char* message, const char* detail);
// 0: none.
int LastSqlstate();
const char* LastMessage();

// ---- For others --------------------------------------------------------------------------------

// Asks the workers of the database to leave, busy ones after their run. Returns how many are there.
int DismissWorkers(Oid database);

}  // namespace ratchet::board
