#include "worker/current_run.h"

#include "worker/run_scope.h"

namespace ratchet::worker {

const CurrentRun* TheCurrentRun() {
  const RunScope* run = RunScope::InHand();
  return run != nullptr ? run->told() : nullptr;
}

}  // namespace ratchet::worker
