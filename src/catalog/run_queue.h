// ratchet.run_queue: runs that were asked for or are under way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/server.h"
#include "policy/run.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

// 0 stands for null in previous_scheduled_at, claimed_at, replay_of, retry_of,
// items_of and backfill_id. A waiting run whose version is not 0 has pinned it already: a replay.
struct QueuedRun {
  std::int64_t run_id = 0;
  std::int64_t mark = 0;  // random, see numbers.h
  std::int64_t job_id = 0;
  std::int32_t version = 0;  // 0: the one in force when it is claimed
  Oid owner = InvalidOid;
  policy::Cause cause = policy::Cause::kSchedule;
  std::int32_t attempt = 1;
  TimestampTz scheduled_at = 0;
  TimestampTz previous_scheduled_at = 0;
  TimestampTz run_at = 0;
  TimestampTz queued_at = 0;
  TimestampTz claimed_at = 0;
  std::string payload;  // jsonb as text, empty: the job's own
  bool coalesce = false;
  bool dry_run = false;
  std::int64_t replay_of = 0;
  std::int64_t retry_of = 0;
  std::int64_t walk = 0;         // whose checkpoint it goes on behind: see catalog/checkpoint.h
  std::int64_t walk_began = 0;   // with this run: it is nothing when that walk has ended; 0: any
  std::int64_t items_of = 0;     // it does the failed items of this run only; 0: all
  std::int64_t backfill_id = 0;  // the backfill whose occurrence it is for; 0: none
  bool on_change = false;        // asked for by a change trigger
  // Who has asked for it, or for the backfill or the run that it goes on with; none: nobody has, it
  // follows from the definition of the job.
  Oid requested_by = InvalidOid;
  bool quarantined = false;  // the row was not written by the library: see seal.h
};

void InsertQueuedRun(const QueuedRun& run, ItemPointer tid = nullptr);
// Keeps the waiting run from being canceled or shared until the transaction ends. False, without
// waiting, when a session is about to do that: its NoteRunHeld() tells when it has finished. The
// row may be elsewhere than at *tid, after VACUUM FULL: *tid then is where it is.
bool LockQueuedRun(std::int64_t run_id, ItemPointer tid);
void UpdateQueuedRun(ItemPointer tid, const QueuedRun& run);
// By tuple id when *tid is valid and still holds the run, else by run_id. No error when it is gone,
// or is another run with the same number.
void DeleteQueuedRun(std::int64_t run_id, std::int64_t mark, ItemPointer tid);

struct FoundRun {
  QueuedRun run;
  ItemPointerData tid;
  bool of_this_transaction;  // inserted by the calling transaction, which has not committed
};
// mark = 0: whichever has the number.
std::optional<FoundRun> FindQueuedRun(std::int64_t run_id, std::int64_t mark = 0);
// The oldest waiting run of the job that another trigger of the same role may share: asked for with
// coalesce, not claimed, not a retry or replay, for the same owner, with the same payload, due at
// the same time (run_at of `like` = 0: at once).
std::optional<FoundRun> FindCoalescible(const QueuedRun& like);
// All rows of the job.
void FindQueuedRunsOf(std::int64_t job_id, std::vector<FoundRun>* runs);
// All rows; `visit` must not raise an error, but may throw.
void ScanQueuedRuns(void (*visit)(void* context, const FoundRun& run), void* context);

}  // namespace ratchet::catalog
