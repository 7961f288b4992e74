// Sessions that wait until runs are recorded.
#pragma once

namespace ratchet::board {

// Between Prepare and Finish the session is woken when any run of the server was recorded. The end
// of its process is a Finish.
void PrepareToWait();
// False on time-out. Interrupts are served.
bool WaitForRun(long timeout_ms);
void FinishWaiting();
// Called by whoever has committed records, or has forgotten runs.
void AnnounceRecorded();

}  // namespace ratchet::board
