// ratchet.run_queue: runs that were asked for or are under way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pg/server.h"
#include "policy/run_identity.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

// A waiting run whose version is not 0 has pinned it already: a replay, or one that had been
// claimed and was put back when the server stopped. A run in the foreground has a row if it was
// given a payload, and as long as it is not recorded.
struct QueuedRun : policy::RunIdentity {
  TimestampTz run_at = 0;
  TimestampTz claimed_at = 0;  // 0: it waits
  std::string payload;         // of its own, jsonb as text; empty: none. Set by Give()
  bool coalesce = false;
  bool on_change = false;    // asked for by a change trigger
  bool quarantined = false;  // the row was not written by the library: see seal.h

  // The payload is the run's own; an empty one: it has that of its definition.
  void Give(std::string given) {
    payload = std::move(given);
    has_payload = !payload.empty();
  }
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
// What the run was given by whoever asked for it, as jsonb text; empty: nothing, it has what its
// definition says. Any process may ask, as long as the run is not settled.
std::string PayloadOf(const policy::RunIdentity& run);
// The oldest waiting run of the job that another trigger of the same role may share: asked for with
// coalesce, not claimed, not a retry or replay, for the same owner, with the same payload, due at
// the same time (run_at of `like` = 0: at once).
std::optional<FoundRun> FindCoalescible(const QueuedRun& like);
// All rows of the job.
void FindQueuedRunsOf(std::int64_t job_id, std::vector<FoundRun>* runs);
// All rows; `visit` must not raise an error, but may throw.
void ScanQueuedRuns(void (*visit)(void* context, const FoundRun& run), void* context);

}  // namespace ratchet::catalog
