// A planned stop of the server, in the worker: what SIGTERM does.
//
// The postmaster sends it to all of its processes at once when it is shut down, fast or smart, and
// waits until they are gone: so long they may commit. pg_terminate_backend() sends the same signal,
// and is obeyed at once, as by any session.
//
//             the postmaster stops                    ratchet.cancel_grace    a second later
//   kDie      dies
//   kCancel   the run is canceled, by an ERROR                                dies
//   kFinish   goes on to the end of its batch         is canceled             dies
#pragma once

#include <cstdint>

namespace ratchet::worker {

enum class AtStop : std::uint8_t {
  kDie,     // there is no run
  kCancel,  // what the run does is taken back
  kFinish,  // the run looks itself whether it has to end (StopIsAsked)
};

// Instead of die().
void InstallStopHandler();

// What the signal does from now on; kDie at first.
void SetAtStop(AtStop what);

// The server stops, and this process was told. It takes no further run.
bool StopIsAsked();

// Somebody else has terminated this process: the postmaster, an administrator, the scheduler. False
// when what it runs has done so itself.
bool IsTerminatedByOthers();

// A cancel for the stop that came where none is let in is heard behind this.
void HearStop();

// Whether a run that ended with this SQLSTATE did so because of the stop: by our cancel, or since a
// process on which it depends was told to stop, too. A run that somebody has canceled, or whose
// time is over, ended because of that. `slot` is its one on the board.
bool IsByStop(int sqlstate, int slot);

}  // namespace ratchet::worker
