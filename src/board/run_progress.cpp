// What the process that runs a run shows of it on the board.
#include "board/run_board.h"
#include "pg/clock.h"

namespace ratchet::board {

// Only the run's own process writes these, and readers can live with values that do not belong
// together, so there is no lock: progress may be reported a million times a second.
void SetProgress(int slot, std::int64_t done, std::int64_t remaining) {
  Runs()[slot].progress_done = done;
  Runs()[slot].progress_remaining = remaining;
}

void SetCommitted(int slot, const RunCounters& committed, std::int64_t walk_done,
                  std::int64_t remaining) {
  RunSlot& run = Runs()[slot];
  run.walks = true;
  run.committed = committed;
  run.walk_done = walk_done;
  run.progress_remaining = remaining;
}

void SetWalkBegan(int slot, std::int64_t run_id) { Runs()[slot].ticket.walk_began = run_id; }

bool IsWalk(int slot) { return Runs()[slot].walks; }

void SetConditionUntil(int slot, policy::AwakeTime until) {
  const Lock lock;
  Runs()[slot].condition_until = until;
  Runs()[slot].condition_canceled = false;
}

void BoundTimeout(int slot, std::int64_t timeout) {
  const Lock lock;
  Runs()[slot].ticket.timeout = timeout;
  Runs()[slot].ticket.is_bound = true;
}

void BeginCommit(int slot) { Runs()[slot].commits = true; }

void EndCommit(int slot) {
  RunSlot& run = Runs()[slot];
  if (run.cancel != CancelReason::kNotCanceled) {
    const Lock lock;
    run.cancel_at = pg::AwakeNow();
  }
  run.commits = false;
}

void SetWait(int slot, RunWait wait) { Runs()[slot].wait = wait; }

void SetInTheWay(int slot, pid_t pid) { Runs()[slot].in_the_way = pid; }

}  // namespace ratchet::board
