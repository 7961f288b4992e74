// A run that begins while somebody is about to delete its job's checkpoint.
#pragma once

#include "board/board.h"

namespace ratchet::worker {

// In a transaction, before anything of the job: waits until nobody changes the checkpoint of the
// run's walk. A procedure that goes on behind a checkpoint which is gone a moment later would save
// another one, and what reset_checkpoint() promised would not hold. Shown as a wait for a lock;
// can be canceled.
void WaitForCheckpoint(const board::RunTicket& ticket, int slot);

}  // namespace ratchet::worker
