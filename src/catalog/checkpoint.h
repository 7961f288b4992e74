// ratchet.job_checkpoint: how far a job is, for its next run.
//
// A row is written by the run that walks, and deleted by it, by whoever makes the checkpoint void
// (reset_checkpoint, another key) and by the scheduler when nobody goes on behind it. Who is first
// wins: a run that begins waits for somebody who is about to delete its checkpoint, and who wants
// to delete that of a run which has begun is told so (reset_checkpoint). A run goes on by the
// definition with which it began: what it saves after another key was given to the job is a new
// row, of the old key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "board/board.h"
#include "pg/row_change.h"
#include "policy/run_identity.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

struct Checkpoint {
  std::int64_t job_id = 0;
  std::int64_t walk = 0;  // see WalkOf
  Oid owner = InvalidOid;
  std::int64_t run_id = 0;  // of the run that saved last
  std::int64_t run_mark = 0;
  std::string value;              // jsonb as text; empty: nothing has committed yet
  std::string run_from;           // where that run began; empty: at the beginning
  board::RunCounters counters{};  // what it has committed: items, batches and rows
  std::int64_t walk_items = 0;    // done by earlier runs of the same walk
  std::int64_t first_run = 0;     // with which the walk began
  bool quarantined = false;       // the row was not written by the library: see seal.h
  std::string key;                // see batch::Key::signature(); empty: of a hand-written procedure
};

// Whose checkpoint it is: 0 for the job's own walk. A run that was given a payload may have other
// items, or other work, than one that has the job's: runs with the same payload have a walk of
// their own (negative), behind whose checkpoint no others go on. What a replay, an occurrence of a
// backfill, or a run beside others walks is its own (its number), and ends with it.
std::int64_t WalkOfPayload(const std::string& payload);
struct WalkRules {
  bool is_batch;
  bool is_incremental;
  bool side_by_side;  // its runs may overlap
};
// Of a run that begins with nothing of an earlier one; `payload` is its own (empty: none).
std::int64_t WalkOf(const policy::RunIdentity& run, const std::string& payload, WalkRules job);
inline bool EndsWithItsRun(std::int64_t walk) { return walk > 0; }

// Seen with the effects of the calling transaction; nullopt when there is none. `tid` may be null.
std::optional<Checkpoint> FindCheckpoint(std::int64_t job_id, std::int64_t walk,
                                         ItemPointer tid = nullptr);
// For a run that goes on behind it: an error if it was not written by the library.
std::optional<Checkpoint> FindOwnCheckpoint(std::int64_t job_id, std::int64_t walk,
                                            ItemPointer tid = nullptr);
// Of a run that was to go on with a walk: whether there is nothing to go on with any more, because
// another run has completed it, or its checkpoint was given up.
inline constexpr char kWalkHasEnded[] = "the walk that it was to go on with has ended";
bool WalkHasEnded(const policy::RunIdentity& run);
// Whether a transaction that has not ended deletes it, or writes over it.
bool CheckpointIsBeingChanged(std::int64_t job_id, std::int64_t walk);
// So that what follows in the transaction waits for nobody: locks the table and the row, if there
// is one. False when another transaction is in the way.
bool HoldCheckpoint(std::int64_t job_id, std::int64_t walk);
// Writes over the row at *tid, if *tid is valid, else over the walk's row or a new one; *tid then
// is its place. May be called more than once in a transaction.
void SaveCheckpoint(const Checkpoint& checkpoint, ItemPointer tid);
// The greatest number of a run in the table; 0 when it is empty.
std::int64_t NewestRunOfCheckpoints();
// No error when there is none. The scheduler waits for nobody, and leaves alone what a session has
// in hand: that is about to delete it itself, or gives it to a job that is defined anew.
void DeleteCheckpoint(std::int64_t job_id, std::int64_t walk,
                      pg::IfBusy if_busy = pg::IfBusy::kWait);
// Those behind which any later run may go on. Whether there was one.
bool DeleteLastingCheckpoints(std::int64_t job_id);
// Those of all walks.
void DeleteCheckpoints(std::int64_t job_id, pg::IfBusy if_busy = pg::IfBusy::kWait);

}  // namespace ratchet::catalog
