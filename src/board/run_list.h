// The slots of runs, and the lists in which they are: each slot is in exactly one of these that
// fits its state, or in nobody's but its run's own hands.
//
//   kFree       Board.free_run
//   kReserved   none: its scheduler knows it
//   kReady      that of its pool, see pool_list.h
//   kRunning    none: its process knows it
//   kEnded      DatabaseEntry.first_ended, until the scheduler has taken it up
//
// The callers hold the board's lock.
#pragma once

#include <vector>

#include "board/board.h"

namespace ratchet::board {

// Not ended yet, and of an extension that is there.
bool IsLive(const RunSlot& run);

// kNone when all are in use.
int TakeFreeSlot(const RunTicket& ticket, RunState state);
void ReturnSlot(int slot);

void SetStarted(RunSlot* run, const policy::Moment& now);

// The scheduler of its database is told, or whoever starts one. What is left of an extension that
// is gone has nobody who would take it up: its slot is free at once.
void EndLocked(int slot, const RunOutcome& outcome);

// Takes out those that ended, oldest first, and puts them into *slots, which has room for all.
// Those of another incarnation than `incarnation` stay. False when there are any.
bool TakeEndedOf(DatabaseEntry* database, Oid incarnation, std::vector<int>* slots);

}  // namespace ratchet::board
