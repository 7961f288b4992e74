// ratchet.job_checkpoint: how far a job is, for its next run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "board/board.h"
#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

struct Checkpoint {
  std::int64_t job_id = 0;
  std::int64_t walk = 0;  // see QueuedRun
  Oid owner = InvalidOid;
  std::int64_t run_id = 0;  // of the run that saved last
  std::int64_t run_mark = 0;
  std::string value;              // jsonb as text; empty: nothing has committed yet
  std::string run_from;           // where that run began; empty: at the beginning
  board::RunCounters counters{};  // what it has committed: items, batches and rows
  std::int64_t walk_items = 0;    // done by earlier runs of the same walk
  std::int64_t first_run = 0;     // with which the walk began
  std::string key;                // see batch::Key::signature(); empty: of a hand-written procedure
};

// Seen with the effects of the calling transaction; nullopt when there is none. `tid` may be null.
std::optional<Checkpoint> FindCheckpoint(std::int64_t job_id, std::int64_t walk,
                                         ItemPointer tid = nullptr);
// Writes over the row at *tid, if *tid is valid, else over the walk's row or a new one; *tid then
// is its place. May be called more than once in a transaction.
void SaveCheckpoint(const Checkpoint& checkpoint, ItemPointer tid);
// The greatest number of a run in the table; 0 when it is empty.
std::int64_t NewestRunOfCheckpoints();
// No error when there is none.
void DeleteCheckpoint(std::int64_t job_id, std::int64_t walk);
// Those of all walks.
void DeleteCheckpoints(std::int64_t job_id);

}  // namespace ratchet::catalog
