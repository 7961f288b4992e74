// Tells the scheduler of this database, when the transaction has committed, what it touched. A
// rolled back transaction tells nothing; a rolled back savepoint only makes the scheduler look once
// in vain.
#pragma once

#include <cstdint>

#include "pg/server.h"

namespace ratchet::catalog {

void NoteJobChanged(std::int64_t job_id);
void NoteRunQueued(std::int64_t run_id);
// This transaction holds the row of a waiting run locked, which the scheduler passes over
// meanwhile: it is told when the transaction ends, either way.
void NoteRunHeld(std::int64_t run_id);
// A run that was claimed: asked to stop on commit, in the name of the current user. The caller has
// checked who asks.
void NoteCancel(std::int64_t run_id);
// Records were written: who waits for a run looks again.
void NoteRunsRecorded();
// A table whose changes ask for a run of the job has been written to: the run starts `debounce`
// microseconds after the commit, unless one is asked for already. Cheap when it is noted already. A
// rolled back savepoint takes it back.
struct TableChange {
  std::int64_t job_id;
  std::int64_t job_born;
  Oid made_by;  // who has made the trigger
  std::int64_t debounce;

  friend bool operator==(const TableChange&, const TableChange&) = default;
};
void NoteTableChange(const TableChange& change);
// The counters of the job (0: of all jobs) start again from zero.
void NoteStatReset(std::int64_t job_id);
// Channels, alerts, silences or incidents were changed by somebody else than the scheduler.
void NoteMessagesChanged();
// A delivery was inserted: who waits for some looks again.
void NoteDelivery();
// Tables were written by other means, or the extension came or went.
void NoteEverythingChanged();
// ALTER ROLE/DATABASE ... SET: pooled sessions are out of date.
void NoteSessionSettingsChanged();
void NoteDatabasesCreated();

// Registers the transaction callback. Called by _PG_init.
void InstallCommitNotice();

}  // namespace ratchet::catalog
