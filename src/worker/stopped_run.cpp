#include "worker/stopped_run.h"

#include "board/message_board.h"
#include "board/run_board.h"
#include "catalog/committed_work.h"
#include "catalog/incarnation.h"
#include "catalog/run_messages.h"
#include "catalog/task_claim.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/table.h"
#include "pg/transaction.h"
#include "policy/clock_watch.h"
#include "worker/run_report.h"

namespace ratchet::worker {
namespace {

void Complete(catalog::RunRecord* record, int slot) {
  const board::RunSlot& run = board::Runs()[slot];
  const policy::Moment now = pg::Now();
  record->finished_at = now.wall;
  record->started_at = policy::OnClockOf(now, {run.started_at, run.begun});
  record->has_usage = false;  // nobody has counted to the end
  record->messages = catalog::AsJson(board::MessagesOf(slot, record->run_id));
  if (!run.walks) {
    record->counters.items_done = run.progress_done;
  }
  catalog::AddCommitted(record);
}

// Who exits cannot be interrupted, and waits for nobody.
bool HoldsTables() {
  return catalog::HoldRunLog() &&
         pg::Call([] { return pg::TryLockTable("job_checkpoint", RowExclusiveLock); });
}

}  // namespace

void RecordStopped(catalog::RunRecord* record, int slot) noexcept {
  try {
    if (record->error.sqlstate == 0) {
      catalog::RunError error;
      error.sqlstate = ERRCODE_ADMIN_SHUTDOWN;
      FillFailure({false, false, true, slot}, std::move(error), record);
    }
    catalog::RunRecord stopped = *record;
    const Oid incarnation = board::Runs()[slot].ticket.incarnation;
    pg::Call([] { AbortOutOfAnyTransaction(); });
    pg::Transaction transaction;
    if (catalog::FindIncarnation() == incarnation && HoldsTables() &&
        !catalog::ReadOwnRunRecord(stopped.run_id, stopped.mark)) {
      Complete(&stopped, slot);
      WriteRecord(stopped, incarnation);
      if (stopped.cause == policy::Cause::kQueue) {
        catalog::DeleteTaskClaim(stopped.run_id);  // its tasks are not to blame
      }
    }
    // The checkpoint of the shutdown is still to come, and a standby is not to be waited for.
    transaction.Commit(pg::Durability::kAsynchronous);
  } catch (const std::exception&) {
    // Without a record it is a crash. An error of the server ends the process here, which ends
    // already.
  }
}

}  // namespace ratchet::worker
