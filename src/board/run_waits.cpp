#include "board/run_waits.h"

#include "board/board.h"
#include "pg/guard.h"

extern "C" {
#include "storage/ipc.h"
#include "utils/wait_event.h"
}

namespace ratchet::board {
namespace {

// This process is one of Board.run_waiters.
bool is_waiting = false;

void CountOut() {
  if (is_waiting) {
    is_waiting = false;
    const Lock lock;
    TheBoard()->run_waiters--;
  }
}

// A session that is terminated runs no destructor.
void AtExit(int /*code*/, Datum /*argument*/) { CountOut(); }

}  // namespace

void PrepareToWait() {
  static bool at_exit = false;
  if (!at_exit) {
    before_shmem_exit(AtExit, 0);
    at_exit = true;
  }
  {
    const Lock lock;
    TheBoard()->run_waiters++;
    is_waiting = true;
  }
  ConditionVariablePrepareToSleep(&TheBoard()->run_ended);
}

bool WaitForRun(long timeout_ms) {
  return pg::Call([timeout_ms] {
    return !ConditionVariableTimedSleep(&TheBoard()->run_ended, timeout_ms, PG_WAIT_EXTENSION);
  });
}

void FinishWaiting() {
  ConditionVariableCancelSleep();
  CountOut();
}

void AnnounceRecorded() {
  // A waiter that registers after this look checks the log itself before it sleeps.
  if (TheBoard()->run_waiters > 0) {
    ConditionVariableBroadcast(&TheBoard()->run_ended);
  }
}

}  // namespace ratchet::board
