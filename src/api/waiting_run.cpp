#include "api/waiting_run.h"

#include "api/privilege.h"
#include "catalog/checkpoint.h"
#include "catalog/commit_notice.h"
#include "catalog/job.h"
#include "catalog/job_version.h"
#include "catalog/run_log.h"
#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/row_lock.h"
#include "pg/table.h"

extern "C" {
#include "access/xact.h"
}

namespace ratchet::api {

bool LockWaitingRun(const catalog::FoundRun& found) {
  ItemPointerData tid = found.tid;
  return pg::Call([&tid] {
    Relation table = pg::OpenTable(catalog::kRunQueueTable, RowShareLock);
    const pg::RowLock lock = pg::LockRow(table, &tid, LockTupleExclusive, true);
    table_close(table, NoLock);
    return lock == pg::RowLock::kLocked;
  });
}

void EndWaitingRun(catalog::FoundRun* found) {
  const catalog::QueuedRun& run = found->run;
  catalog::RunRecord record = catalog::RecordOf(run, {}, run.payload);
  if (run.version != 0) {
    const auto version = catalog::FindJobVersion(run.job_id, run.version);
    record.job_name = version ? version->job_name : "";
  } else if (const auto job = catalog::FindJob(run.job_id)) {
    record.job_name = job->job_name;
    record.version = job->version;
  }
  record.status = policy::RunStatus::kCanceled;
  record.finished_at = GetCurrentTimestamp();
  record.canceled_by = GetUserId();
  record.reason = "canceled by role \"" + RoleName(GetUserId()) + "\" before it started";
  catalog::InsertRunRecordAnyway(&record);
  catalog::DeleteQueuedRun(run.run_id, run.mark, &found->tid);
  if (catalog::EndsWithItsRun(run.walk)) {
    catalog::DeleteCheckpoint(run.job_id, run.walk);  // nobody goes on behind it
  }
  pg::Call([] { CommandCounterIncrement(); });
  catalog::NoteRunHeld(run.run_id);
  catalog::NoteRunsRecorded();
}

}  // namespace ratchet::api
