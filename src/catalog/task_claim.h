// ratchet.task_claim: which tasks each run of a queue has in hand.
//
// The run writes its row before it begins with a batch, in a transaction of its own, and deletes it
// in that of the batch. One that is there without a live run tells which tasks were in hand when
// its process died; the scheduler deletes those. Its own have numbers below 0 instead of those of
// runs: tasks one of which may have brought the server down (policy/task_suspects.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pg/server.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::catalog {

struct TaskClaim {
  std::int64_t run_id = 0;
  std::int64_t queue_id = 0;
  std::vector<std::int64_t> task_ids;
};

// *tid (may be null) is where it is.
void InsertTaskClaim(std::int64_t run_id, std::int64_t queue_id,
                     std::span<const std::int64_t> task_ids, ItemPointer tid = nullptr);
// Of the run, at *tid if that is valid and it still is there. No error when it is gone.
void DeleteTaskClaim(std::int64_t run_id, ItemPointer tid = nullptr);

// All of them as of now, in no order. `visit` must not raise an error, but may throw.
void ScanTaskClaims(void (*visit)(void* context, const TaskClaim& claim), void* context);

}  // namespace ratchet::catalog
