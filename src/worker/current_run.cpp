#include "worker/current_run.h"

namespace ratchet::worker {
namespace {

const CurrentRun* current_run = nullptr;

}  // namespace

const CurrentRun* TheCurrentRun() { return current_run; }

void SetCurrentRun(const CurrentRun* run) { current_run = run; }

}  // namespace ratchet::worker
