// What a scheduler shows on the board of the jobs that it knows, for ratchet.status() and
// ratchet.server_databases.
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {

void Scheduler::ShowCounts() {
  entry_->problems = static_cast<std::int64_t>(jobs_.problems());
  entry_->failing_jobs = jobs_.failing();
  entry_->quarantined_jobs = jobs_.quarantined();
  entry_->quarantined_rows = jobs_.quarantined() + quarantined_rows_;
}

}  // namespace ratchet::scheduler
