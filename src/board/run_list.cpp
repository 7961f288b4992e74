#include "board/run_list.h"

#include <algorithm>
#include <cstring>

#include "board/database_list.h"
#include "board/message_board.h"
#include "board/state.h"
#include "pg/clock.h"

namespace ratchet::board {
namespace {

// Nothing is lost if the scheduler hears later of its end. A look at looks_again_at that is too old
// wakes it once too often; a new one is older than the sleep which ends by itself.
bool CanBeTakenUpLater(const RunSlot& run, const DatabaseEntry& database) {
  if (run.worker == kNone || !database.scheduler().IsThere() ||
      run.ended >= database.looks_again_at) {
    return false;
  }
  const Pool& pool = Pools()[Workers()[run.worker].pool];
  return pool.ready >= pool.workers;
}

// Who will record how it ended; null when nobody will.
DatabaseEntry* WhoTakesUp(const RunSlot& run) {
  DatabaseEntry* database =
      OidIsValid(run.ticket.incarnation) ? FindEntry(run.ticket.database) : nullptr;
  return database != nullptr && database->state != DatabaseState::kAbsent ? database : nullptr;
}

}  // namespace

bool IsLive(const RunSlot& run) {
  return run.state != RunState::kFree && run.state != RunState::kEnded &&
         OidIsValid(run.ticket.incarnation);
}

int TakeFreeSlot(const RunTicket& ticket, RunState state) {
  Board* board = TheBoard();
  const int index = board->free_run;
  if (index == kNone) {
    return kNone;
  }
  RunSlot& run = Runs()[index];
  board->free_run = run.next;
  SetState(&run, RunState::kFree, state);
  run.cancel = CancelReason::kNotCanceled;
  run.canceled_by = InvalidOid;
  run.terminated = false;
  run.next = kNone;
  run.worker = kNone;
  run.proc = kNone;
  run.pid = 0;
  run.started_at = 0;
  run.begun = {};
  run.time_since = {};
  run.cancel_at = {};
  run.progress_done = 0;
  run.progress_remaining = -1;
  run.condition_until = {};
  run.condition_canceled = false;
  run.commits = false;
  ForgetMessages(&run.messages);
  run.ticket = ticket;
  run.walks = false;
  run.wait = RunWait::kNothing;
  run.in_the_way = 0;
  run.committed = RunCounters{};
  run.walk_done = 0;
  return index;
}

void ReturnSlot(int slot) {
  Board* board = TheBoard();
  RunSlot& run = Runs()[slot];
  SetState(&run, run.state, RunState::kFree);
  run.next = board->free_run;
  board->free_run = slot;
}

void SetStarted(RunSlot* run, const policy::Moment& now) {
  run->started_at = now.wall;
  run->begun = now.steady;
  run->time_since = pg::AwakeNow();
}

void EndLocked(int slot, const RunOutcome& outcome) {
  RunSlot& run = Runs()[slot];
  SetState(&run, run.state, RunState::kEnded);
  run.ended = pg::SteadyNow();
  if (run.ticket.foreground) {
    TheBoard()->active_foreground--;
  }
  DatabaseEntry* database = WhoTakesUp(run);
  if (database == nullptr) {
    ReturnSlot(slot);
    return;
  }
  // The texts are long and mostly empty: only their used part is copied.
  const std::size_t fixed = offsetof(RunOutcome, text);
  std::memcpy(&run.outcome, &outcome, fixed);
  if (outcome.recorded) {
    run.outcome.text[0] = '\0';
  } else {
    std::memcpy(run.outcome.text, outcome.text, sizeof(outcome.text));
  }
  run.next = database->first_ended;
  database->first_ended = slot;
  if (!CanBeTakenUpLater(run, *database)) {
    WakeSchedulerOrLauncher(database);
  }
}

bool TakeEndedOf(DatabaseEntry* database, Oid incarnation, std::vector<int>* slots) {
  int* link = &database->first_ended;
  while (*link != kNone) {
    RunSlot& run = Runs()[*link];
    if (run.ticket.incarnation == incarnation) {
      slots->push_back(*link);
      *link = run.next;
      run.next = kNone;
    } else {
      link = &run.next;
    }
  }
  std::reverse(slots->begin(), slots->end());
  return database->first_ended == kNone;
}

}  // namespace ratchet::board
