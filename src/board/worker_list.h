// The slots of workers. The callers hold the board's lock.
#pragma once

#include "board/board.h"

namespace ratchet::board {

// kNone when all are in use.
int FreeWorker();

// The slot is free, and with it its share in the pool.
void ReleaseWorker(WorkerSlot& worker);

// A slot that was the role's is free: whoever waits has the word.
void OfferSlot(Oid role, policy::SteadyTime now);

// Frees an idle worker of another pool, the one that has been idle for longest. `of`: the role
// whose one it must be, InvalidOid: of whichever.
bool DismissOneIdle(int pool, Oid of = InvalidOid);

// A free place is of no use while no process can be started for it.
bool ProcessesAreShort(policy::SteadyTime now);

}  // namespace ratchet::board
