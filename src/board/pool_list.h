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

// A worker of the pool comes (1) or goes (-1).
void CountWorker(int pool, int change);

// ---- Who has the next worker

// A claim is that of a pool whose scheduler is there and has asked a moment ago: somebody takes up
// what is offered, and nobody else waits for one that has gone.

// The scheduler of the database leaves. What its pools wait for they have waited for when another
// one asks again.
void WithdrawClaims(Oid database);

// A pool of another role or database that waits for a worker and has a better claim than `pool` on
// the next one: kNone when there is none.
int BetterClaim(int pool, policy::SteadyTime now);
// Of those that wait, whoever has the best claim.
int BestClaim(policy::SteadyTime now);

// How many workers more the role of the pool may have; negative when the bound was lowered.
int RoomOfRole(int pool);
// The role of the pool has all that it may have, and the pool has more to do.
void NoteHeld(int pool, policy::SteadyTime now);
bool IsHeld(const Pool& pool, policy::SteadyTime now);
// A pool of the same role in another database that is held and has a better claim on the next
// worker of the role: kNone when there is none.
int BetterClaimInRole(int pool, policy::SteadyTime now);
// Of the pools of the role that are held, whoever has the best claim.
int BestClaimInRole(Oid role, policy::SteadyTime now);

}  // namespace ratchet::board
