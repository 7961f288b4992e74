// The record of a run whose process is ended by the shutdown of the server: in the foreground, and
// in a worker whose run did not end by itself in time.
//
// Nobody else writes it. The scheduler stops at the same time, and after the next start a run
// without a record would be one that crashed.
#pragma once

#include "catalog/run_log.h"

namespace ratchet::worker {

// In a callback of before_shmem_exit, where a transaction is still possible: aborts the one that is
// open, and commits the record, completed by what the board and the checkpoint say, in one of its
// own. One that says how the run has failed stays as it is. Nothing is written when the run has its
// record, or when somebody has locked the log. *record may be gone afterwards.
void RecordStopped(catalog::RunRecord* record, int slot) noexcept;

}  // namespace ratchet::worker
