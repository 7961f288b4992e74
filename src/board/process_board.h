// The places of processes that are one for the server or one for a database: how they are taken and
// given back, and how who has one is asked to leave. process/process.h draws the life of a process;
// those of workers are in worker_board.h.
#pragma once

#include "board/board.h"
#include "board/process_kind.h"

namespace ratchet::board {

// ---- One for the server ------------------------------------------------------------------------

// This process has the place of its kind from now on: false for one that stands in where there is
// one. The server's own takes over from a stand-in.
bool AttachToServer(ProcessKind kind, bool stands_in);
// It still has that place: nobody has taken over.
bool IsAttachedToServer(ProcessKind kind);
// In an exit callback: gives the place back. No harm if it has none.
void DetachFromServer(ProcessKind kind);

// For the schedulers: the time at which somebody has to stand in for a launcher that does not come
// back. Not set while there is one.
policy::SteadyTime LauncherMissedAt();
// True for the one who is to start it: the next one is asked later.
bool TakeLauncherStart(policy::SteadyTime now);

// ---- One for a database ------------------------------------------------------------------------

// Null when the database is held, or has such a process already: this one must exit.
DatabaseEntry* AttachToDatabase(ProcessKind kind, Oid database);
// In an exit callback: gives back the place of this process. That of a scheduler makes its database
// kUnknown, unless RetireScheduler came first. No harm if it has none.
void DetachFromDatabase();
// True when the process must leave: its database is held, or it was asked to.
bool MustLeave(const DatabaseEntry* entry, ProcessKind kind);

// The scheduler leaves its database in this state. kAbsent: what the extension has left behind is
// forgotten, unless something has changed since the last TakeChanges(). The database's other
// processes are asked to leave, too, unless their scheduler has died: there will be another one.
void RetireScheduler(DatabaseEntry* entry, DatabaseState state, policy::SteadyTime rest_until);

// Asks the processes of the database to leave because another database needs their places.
void AskToRest(Oid database);
// Asks all processes of the database to leave, and the workers as soon as they are idle. Returns
// how many of ours are still there.
int Dismiss(Oid database);

}  // namespace ratchet::board
