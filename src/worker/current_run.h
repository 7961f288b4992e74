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

// Null outside of the text of a job.
const CurrentRun* TheCurrentRun();

}  // namespace ratchet::worker
