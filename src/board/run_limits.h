// Runs whose time is over, and those that do not obey.
#pragma once

#include "board/board.h"

namespace ratchet::board {

// Ends the process of a run that has ignored its cancel for longer than `grace`, and cancels runs
// whose time is over if their own timer has not: the server's timers go by the wall clock, and go
// off late when it is set back. Returns how many were terminated, and in *next when the next one is
// due (not set: none).
int EnforceLimits(Oid database, policy::AwakeTime now, std::int64_t grace, policy::AwakeTime* next);

}  // namespace ratchet::board
