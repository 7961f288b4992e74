// Temporary tables of a session in which a job is run in the foreground.
#pragma once

namespace ratchet::worker {

// In a transaction, under the search_path of the run. Throws when one of them takes the place of a
// permanent table: the job, and the functions that it calls, would read and write that one.
void RefuseHiddenTables();

}  // namespace ratchet::worker
