// Pools: the runs and workers of one role in one database. The callers hold the board's lock.
#pragma once

#include "board/board.h"

namespace ratchet::board {

int FindPool(Oid database, Oid role);
// kNone when all entries are in use.
int FindOrAddPool(Oid database, Oid role);
// Frees the entry when nothing is left in it.
void DropPoolIfEmpty(int pool);

void AppendReady(int pool, int run);
// The oldest ready run, or kNone.
int RemoveReady(int pool);
// Takes out a ready run of the pool, wherever it stands.
void WithdrawReady(int pool, int run);

// Wakes one idle worker of the pool, if there is one.
void WakeIdleWorker(int pool);

// A pool of another role or database that waits for a worker and has a better claim than `pool` on
// the next one: kNone when there is none.
int BetterClaim(int pool, policy::SteadyTime now);

// Shared with run_board.cpp.
void SetStarted(RunSlot* run, const policy::Moment& now);
void EndLocked(int slot, const RunOutcome& outcome);

}  // namespace ratchet::board
