// One run, from the board's slot to the record in the log.
#pragma once

#include "worker/session.h"

namespace ratchet::worker {

struct RunFinish {
  bool session_is_clean;
  bool look_at_memory;  // it took long enough, or went wrong, so that a look costs nothing
};

// Runs what was taken from the board, and ends it there. What goes wrong in the run is its outcome;
// an exception means that the process is at its end, and the scheduler records a run that was lost.
RunFinish RunTaken(Session& session, int slot);

}  // namespace ratchet::worker
