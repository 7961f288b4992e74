// Databases on the board. The callers hold the board's lock.
#pragma once

#include "board/board.h"

namespace ratchet::board {

// Null when the database has no entry; the first free entry for InvalidOid.
DatabaseEntry* FindEntry(Oid database);
// A new entry is in kUnknown. Null when the table is full.
DatabaseEntry* FindOrAddEntry(Oid database);

// Wakes the scheduler; when there is none, the launcher, which starts one.
void WakeSchedulerOrLauncher(DatabaseEntry* entry);
void WakeSchedulerOf(Oid database);

}  // namespace ratchet::board
