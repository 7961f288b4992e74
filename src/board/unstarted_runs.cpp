#include "board/unstarted_runs.h"

#include "board/pool_list.h"
#include "board/state.h"

namespace ratchet::board {

std::vector<UnstartedRun> WithdrawUnstarted(Oid database) {
  std::vector<UnstartedRun> unstarted;
  // Memory is taken before the lock: nothing may throw while it is held.
  unstarted.reserve(static_cast<std::size_t>(TheBoard()->runs));
  const Lock lock;
  for (int i = 0; i < TheBoard()->runs; i++) {
    RunSlot& run = Runs()[i];
    if (run.ticket.database != database ||
        (run.state != RunState::kReady && run.state != RunState::kReserved)) {
      continue;
    }
    if (run.state == RunState::kReady) {
      const int pool = FindPool(database, run.ticket.owner);
      WithdrawReady(pool, i);
      DropPoolIfEmpty(pool);
      SetState(&run, RunState::kReady, RunState::kReserved);
    }
    unstarted.push_back({run.ticket.run_id, run.ticket.mark});
  }
  return unstarted;
}

}  // namespace ratchet::board
