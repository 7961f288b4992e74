// Ending runs that wait, in a session.
#pragma once

#include "catalog/run_queue.h"

namespace ratchet::api {

// Whoever else wants the row waits for this transaction, or passes it over as the scheduler does.
// False when the run was claimed or ended while we waited for it.
bool LockWaitingRun(const catalog::FoundRun& found);

// A run that waits ends here, in the caller's transaction, which has locked it.
void EndWaitingRun(catalog::FoundRun* found);

}  // namespace ratchet::api
