// The time limit of a run.
#pragma once

#include "pg/server.h"

namespace ratchet::worker {

// At `when` the run is canceled as if by pg_cancel_backend(). Job text that swallows the cancel is
// terminated by the scheduler (board::TerminateStubborn). For use inside pg::Call.
void StartRunTimer(TimestampTz when);
void StopRunTimer() noexcept;
// It went off since it was last started.
bool RunTimerFired();
void ForgetRunTimer();

}  // namespace ratchet::worker
