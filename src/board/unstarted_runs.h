// Runs that no worker has taken, when the server stops.
#pragma once

#include <cstdint>
#include <vector>

#include "board/board.h"

namespace ratchet::board {

struct UnstartedRun {
  std::int64_t run_id;
  std::int64_t mark;
};

// Takes the ready runs of the database out of their lines, back to kReserved: no worker gets them
// any more. Returns them, and those that were reserved, whose claims may have committed. For a
// scheduler that is at its end.
std::vector<UnstartedRun> WithdrawUnstarted(Oid database);

}  // namespace ratchet::board
