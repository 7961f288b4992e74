// What a database, or the extension in it, leaves behind on the board when it goes. Tables are gone
// then, and with them what runs, pools and numbers meant: nothing of that may stay, for others
// would wait for it, or take it for theirs.
#pragma once

#include "board/board.h"

namespace ratchet::board {

// For the launcher: the database is gone. Nothing happens while it is held, or
// has a process of its own.
void ForgetDatabase(Oid database);

// For the scheduler: it has found this incarnation of the extension. Runs of others end: those that
// wait for a worker or for the scheduler are forgotten, those under way are nobody's any more.
void AdoptIncarnation(DatabaseEntry* entry, Oid incarnation);

// Forgets the runs and tasks of the database that are not of `incarnation`, InvalidOid: all. The
// caller holds the board's lock.
void ForgetRuns(Oid database, Oid incarnation);

}  // namespace ratchet::board
