// The run that this process executes, for the SQL functions that are called inside of it.
#pragma once

#include <string>

#include "board/board.h"

namespace ratchet::worker {

struct CurrentRun {
  int slot = board::kNone;  // on the board
  board::RunTicket ticket{};
  std::string payload;  // jsonb as text; empty: none
};

// Null outside of a run.
const CurrentRun* TheCurrentRun();
// The run stays the caller's; null when it is over.
void SetCurrentRun(const CurrentRun* run);

}  // namespace ratchet::worker
