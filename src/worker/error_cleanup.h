// What is left to do when a run has failed.
#pragma once

namespace ratchet::worker {

// The server's cleanup after an error in a client's query. Afterwards no transaction is open, and
// cancels are refused.
void CleanUpAfterError() noexcept;

}  // namespace ratchet::worker
