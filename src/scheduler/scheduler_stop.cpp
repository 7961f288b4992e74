// What a scheduler does whose process is being ended.
#include "board/unstarted_runs.h"
#include "catalog/incarnation.h"
#include "catalog/run_queue.h"
#include "pg/server_stop.h"
#include "pg/table.h"
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {

void Scheduler::LastWords() {
  statistics_.TakeBack();
  transaction_.reset();
  pg::AbortOpenTransaction();
  WriteLastStatistics();
  if (pg::ServerIsStopping()) {
    PutBackUnstarted();
  }
}

void Scheduler::WriteLastStatistics() {
  if (statistics_.empty()) {
    return;
  }
  pg::Transaction transaction;
  if (catalog::HoldJobStatTable() && catalog::FindIncarnation() == entry_->incarnation) {
    statistics_.Write();
    statistics_.Written();
  }
  transaction.Commit();
}

// What was claimed and has not started waits again, and keeps the version of its job: a claim
// without a record would be taken for a run that crashed. Not when another scheduler is to come,
// which finds them on the board.
void Scheduler::PutBackUnstarted() {
  const std::vector<board::UnstartedRun> unstarted = board::WithdrawUnstarted(entry_->database);
  if (unstarted.empty()) {
    return;
  }
  pg::Transaction transaction;
  // Nobody could interrupt a wait.
  if (catalog::FindIncarnation() == entry_->incarnation &&
      pg::Call([] { return pg::TryLockTable("run_queue", RowExclusiveLock); })) {
    for (const auto& [run_id, mark] : unstarted) {
      auto found = catalog::FindQueuedRun(run_id, mark);
      if (found && found->run.claimed_at != 0 && catalog::LockQueuedRun(run_id, &found->tid)) {
        found->run.claimed_at = 0;
        catalog::UpdateQueuedRun(&found->tid, found->run);
      }
    }
  }
  transaction.Commit(pg::Durability::kAsynchronous);
}

}  // namespace ratchet::scheduler
