#include "worker/checkpoint_wait.h"

#include "batch/pace.h"
#include "catalog/checkpoint.h"

namespace ratchet::worker {
namespace {

constexpr std::int64_t kBetweenLooks = 20'000;  // microseconds

}  // namespace

void WaitForCheckpoint(const board::RunTicket& ticket, int slot) {
  while (catalog::CheckpointIsBeingChanged(ticket.job_id, ticket.walk)) {
    batch::Sleep(slot, board::RunWait::kLock, kBetweenLooks);
  }
}

}  // namespace ratchet::worker
