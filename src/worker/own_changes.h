// What a run itself changes in the tables that its job watches.
//
// It must never be counted too high: a change of somebody else's would be taken for the run's. What
// is lost of it (with the process) only makes the job run once more.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"
#include "policy/watch.h"

namespace ratchet::worker {

// Before the run's first transaction, outside of any. `watches` is what its ticket says.
void BeginOwnChanges(bool watches);
// In the first transaction, before the run has changed anything: which tables it is about.
void WatchTables(const std::vector<Oid>& tables);

// In the place of pgstat_report_stat(), which loses sight of what it reports: outside of
// transactions.
long ReportStatistics(bool force);

// At the run's end, outside of a transaction: the server's statistics then know all of it.
policy::OwnChanges EndOwnChanges();

// For the transaction callbacks. A file that a transaction makes for a table is its own.
void NoteNewFilesBeforeCommit();
void NoteNewFilesAtCommit();
void ForgetNewFilesAtAbort();

}  // namespace ratchet::worker
