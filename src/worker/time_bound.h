// ratchet.max_run_time: the administrator's bound on how long runs take.
#pragma once

#include "board/board.h"

namespace ratchet::worker {

// Shortens the ticket's timeout to it, as it is in this session. Runs of superusers have no bound:
// who may change it needs none. True when the ticket has changed.
bool BoundRunTime(board::RunTicket* ticket);

// What a run that was canceled for its time says.
const char* TimeoutMessage(const board::RunTicket& ticket);
// "" without one.
const char* TimeoutHint(const board::RunTicket& ticket);

}  // namespace ratchet::worker
