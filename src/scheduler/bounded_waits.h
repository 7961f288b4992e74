// The scheduler waits for no lock without a bound. What it cannot have within kLongestWait ends the
// pass with an error, as a lock time-out does in a session; this says for which lock it has waited.
#pragma once

#include <optional>

#include "catalog/lock_blockers.h"

namespace ratchet::scheduler {

// Longer than deadlock_timeout is by default: a deadlock is found before, and autovacuum, which is
// told to go after that time, has gone. As the server's setting lock_timeout.
inline constexpr char kLongestWait[] = "1500ms";

// In place of ignoring SIGINT: the server's lock time-out arrives as one. Those of others, which
// are meant for a run, are still ignored. Called once the process is connected.
void BoundWaits();

// The wait that has ended the pass; empty if that had another reason. For the first call after it.
std::optional<catalog::LockWait> TakeEndedWait();

// A time-out that came together with the lock ends nothing any more. Between two passes.
void ForgetLateTimeout();

}  // namespace ratchet::scheduler
