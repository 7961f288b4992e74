// Databases with jobs: when they are looked after, and what has changed there. state.h draws their
// states, process_board.h says by whom, and database_end.h is what happens when one of them goes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "board/board.h"

namespace ratchet::board {

// ---- For sessions ------------------------------------------------------------------------------

// After a commit that touched jobs or runs of the database: tells its scheduler, or the launcher
// when there is none.
void NoteChanges(Oid database, std::span<const Change> changes, bool everything);

// A transaction was prepared that has fired change triggers.
void NotePreparedChanges(Oid database);
// A prepared transaction was committed: what it has touched is not known any more.
void NotePreparedCommit(Oid database);

// Between Hold and Release no scheduler and no new worker is connected to the database. Hold
// returns false when the table of databases is full.
bool Hold(Oid database);
void Release(Oid database);

void NoteNewDatabases();
// ALTER ROLE/DATABASE ... SET: workers with older sessions are replaced before their next run.
void NewSessionEpoch();
std::uint32_t SessionEpoch();
// Files of the time zone database were replaced: workers that may have read the old ones are
// replaced before their next run.
void NewZonesEpoch();
std::uint32_t ZonesEpoch();

// ---- For the launcher --------------------------------------------------------------------------

struct DatabaseView {
  Oid database;
  DatabaseState state;
  bool held;
  bool waits_for_worker;
  pid_t scheduler_pid;
  policy::SteadyTime rest_until;
  policy::SteadyTime active_since;
};
void ListDatabases(std::vector<DatabaseView>* out);
// A copy of the database's entry, when it has one.
std::optional<DatabaseEntry> ViewDatabase(Oid database);
// Whether its jobs are held back, because they came here in a copy.
bool IsQuarantined(Oid database);
// True when new databases were announced since the last call.
bool TakeNewDatabases();
// Makes an entry in kUnknown, if there is none. False when the table is full.
bool AddDatabase(Oid database);
void MarkStarting(Oid database, policy::SteadyTime now);
// The scheduler that was started is not there any more: back to kUnknown, or resting until `retry`.
void MarkStopped(Oid database, policy::SteadyTime retry);
// What rests until something is due is looked at now: the clock was set.
void EndRests();

// ---- For the scheduler -------------------------------------------------------------------------

// For ratchet.status(): a pass has failed for this reason, or not (null).
void NotePass(DatabaseEntry* entry, TimestampTz now, const char* failure);
// For ratchet.status(): work waits for a worker, or not.
void NoteWaitingWork(DatabaseEntry* entry, policy::SteadyTime now, bool waits);
// What was touched since the last call; true when everything must be read again.
bool TakeChanges(DatabaseEntry* entry, std::vector<Change>* changes);

}  // namespace ratchet::board
