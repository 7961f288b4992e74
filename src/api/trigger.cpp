// ratchet.trigger()
#include "api/argument.h"
#include "api/held_back.h"
#include "api/not_loaded.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/commit_notice.h"
#include "catalog/numbers.h"
#include "catalog/run_queue.h"
#include "catalog/table_layouts.h"
#include "pg/row_lock.h"
#include "pg/table.h"

namespace ratchet::api {
namespace {

enum Argument { kJobName, kPayload, kRunAt, kCoalesce };

// Joins a run that waits already. The run must not start before this transaction has committed, or
// it would not see what the transaction wrote: a share lock on its row keeps the scheduler from
// claiming it until then, and lets others join as well. False when the run has started in the
// meantime.
bool Join(const catalog::FoundRun& found) {
  if (found.of_this_transaction) {
    return true;
  }
  ItemPointerData tid = found.tid;
  const bool joined = pg::Call([&tid] {
    Relation table = pg::OpenTable(catalog::kRunQueueTable, RowShareLock);
    const pg::RowLock lock = pg::LockRow(table, &tid, LockTupleShare, false);
    table_close(table, NoLock);
    return lock == pg::RowLock::kLocked;
  });
  if (joined) {
    catalog::NoteRunHeld(found.run.run_id);
  }
  return joined;
}

std::int64_t Trigger(const Arguments& arguments) {
  RequireWritable("ratchet.trigger()");
  WarnIfNotLoaded();
  const catalog::JobDefinition job = RequireJob(arguments.Text(kJobName, "job_name"));
  TellOnceIfHeldBack(job);
  const TimestampTz now = GetCurrentTimestamp();
  const TimestampTz run_at = arguments.IsNull(kRunAt) ? 0 : arguments.Time(kRunAt, "run_at");
  catalog::QueuedRun run;
  run.job_id = job.job_id;
  run.owner = job.owner;
  run.requested_by = GetUserId();
  run.coalesce = arguments.BoolOr(kCoalesce, true);
  run.Give(arguments.JsonbOrEmpty(kPayload));
  run.run_at = run_at <= now ? 0 : run_at;
  if (run.coalesce) {
    const auto waiting = catalog::FindCoalescible(run);
    if (waiting && Join(*waiting)) {
      return waiting->run.run_id;
    }
  }
  catalog::NumberRun(&run);
  run.cause = policy::Cause::kTrigger;
  run.scheduled_at = run_at != 0 ? run_at : now;
  run.run_at = run.scheduled_at;
  run.queued_at = now;
  catalog::InsertQueuedRun(run);
  catalog::NoteRunQueued(run.run_id);
  return run.run_id;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_trigger);
PGDLLEXPORT Datum ratchet_trigger(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::Trigger(ratchet::api::Arguments(fcinfo))); });
}

}  // extern "C"
