// Looks whether what is on the board of tasks agrees with itself, and with the board of runs.
#pragma once

#include "board/complaints.h"

namespace ratchet::board {

void CheckTasks(Complaints* complaints);

}  // namespace ratchet::board
