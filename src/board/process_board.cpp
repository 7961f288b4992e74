#include "board/process_board.h"

#include "board/database_end.h"
#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/state.h"
#include "board/worker_board.h"
#include "pg/clock.h"
#include "pg/compat.h"

extern "C" {
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

// A scheduler that died is replaced after this time, so that one that cannot start is no storm.
constexpr std::int64_t kRestartDelay = USECS_PER_SEC;

// The postmaster starts the launcher again a second after it has died, by the wall clock: if that
// is set back meanwhile, it may be hours.
constexpr std::int64_t kLauncherMissed = 3 * USECS_PER_SEC;

// The place of this process at a database.
DatabaseEntry* my_entry = nullptr;
ProcessKind my_kind;

ProcessPlace MyPlace() { return {MyProcPid, pg::MyPlaceInAllProcs(), false}; }

// The schedulers that a launcher has asked for are unknown to the next one.
void ForgetStarting() {
  for (int i = 0; i < TheBoard()->databases; i++) {
    DatabaseEntry& entry = Databases()[i];
    if (entry.state == DatabaseState::kStarting && !entry.scheduler().IsThere()) {
      SetState(&entry, DatabaseState::kStarting, DatabaseState::kUnknown);
      entry.rest_until = policy::kNoSteadyTime;
    }
  }
}

void LauncherGone() {
  TheBoard()->launcher_gone = pg::SteadyNow();
  for (int i = 0; i < TheBoard()->databases; i++) {
    Wake(Databases()[i].scheduler());  // they see to it that there is one again
  }
}

void BeginScheduling(DatabaseEntry* entry) {
  SetState(entry, entry->state, DatabaseState::kActive);
  entry->active_since = pg::SteadyNow();
  entry->changes_lost = true;  // a new scheduler reads everything
  entry->change_count = 0;
}

void AskAllToLeave(DatabaseEntry* entry) {
  for (ProcessPlace& place : entry->processes.by_kind) {
    if (place.IsThere()) {
      place.leave = true;
      Wake(place);
    }
  }
}

// The extension is not there any more, and what was known of it does not hold for another one.
void ForgetExtension(DatabaseEntry* entry) {
  ForgetRuns(entry->database, InvalidOid);
  entry->incarnation = InvalidOid;
  entry->quarantined = false;
  entry->copy = policy::Copy::kNone;
  entry->misfit = false;
  entry->jobs = 0;
  entry->problems = 0;
  entry->failing_jobs = 0;
  entry->quarantined_jobs = 0;
  entry->quarantined_rows = 0;
  entry->failing_since = 0;
}

}  // namespace

bool AttachToServer(ProcessKind kind, bool stands_in) {
  const Lock lock;
  ProcessPlace& place = TheBoard()->processes[kind];
  if (stands_in && place.IsThere()) {
    return false;
  }
  place = MyPlace();
  if (kind == ProcessKind::kLauncher) {
    ForgetStarting();
  }
  return true;
}

bool IsAttachedToServer(ProcessKind kind) {
  const Lock lock(LW_SHARED);
  return TheBoard()->processes[kind].pid == MyProcPid;
}

void DetachFromServer(ProcessKind kind) {
  const Lock lock;
  ProcessPlace& place = TheBoard()->processes[kind];
  if (place.pid != MyProcPid) {
    return;  // another one has taken over
  }
  place = ProcessPlace{};
  if (kind == ProcessKind::kLauncher) {
    LauncherGone();
  }
}

policy::SteadyTime LauncherMissedAt() {
  const Lock lock(LW_SHARED);
  const Board& board = *TheBoard();
  return !board.launcher().IsThere() && board.launcher_gone.IsSet()
             ? board.launcher_gone + kLauncherMissed
             : policy::kNoSteadyTime;
}

bool TakeLauncherStart(policy::SteadyTime now) {
  const Lock lock;
  Board& board = *TheBoard();
  if (board.launcher().IsThere() || !board.launcher_gone.IsSet() ||
      board.launcher_gone + kLauncherMissed > now) {
    return false;
  }
  board.launcher_gone = now;
  return true;
}

DatabaseEntry* AttachToDatabase(ProcessKind kind, Oid database) {
  const Lock lock;
  DatabaseEntry* entry = FindOrAddEntry(database);
  if (entry == nullptr || entry->processes[kind].IsThere() || entry->holds > 0) {
    return nullptr;
  }
  entry->processes[kind] = MyPlace();
  if (kind == ProcessKind::kScheduler) {
    BeginScheduling(entry);
  }
  my_entry = entry;
  my_kind = kind;
  return entry;
}

void DetachFromDatabase() {
  if (my_entry == nullptr) {
    return;
  }
  if (my_kind == ProcessKind::kScheduler) {
    RetireScheduler(my_entry, DatabaseState::kUnknown, pg::SteadyNow() + kRestartDelay);
    return;
  }
  const Lock lock;
  my_entry->processes[my_kind] = ProcessPlace{};
  WakeSchedulerOrLauncher(my_entry);
  my_entry = nullptr;
}

bool MustLeave(const DatabaseEntry* entry, ProcessKind kind) {
  return entry->holds > 0 || entry->processes[kind].leave;
}

void RetireScheduler(DatabaseEntry* entry, DatabaseState state, policy::SteadyTime rest_until) {
  const Lock lock;
  // What was touched in the meantime has not been seen: rest is not for now, and the extension may
  // be there again.
  const bool touched = entry->changes_lost || entry->change_count > 0 ||
                       (entry->first_ended != kNone && state != DatabaseState::kAbsent);
  const bool comes_back = touched && state != DatabaseState::kUnknown;
  if (state == DatabaseState::kAbsent && !comes_back) {
    ForgetExtension(entry);
  }
  WithdrawClaims(entry->database);
  SetState(entry, DatabaseState::kActive, comes_back ? DatabaseState::kUnknown : state);
  entry->rest_until = comes_back ? policy::kNoSteadyTime : rest_until;
  entry->scheduler() = ProcessPlace{};
  if (entry->state != DatabaseState::kUnknown) {
    AskAllToLeave(entry);
  }
  entry->waits_for_worker = false;
  entry->work_waits_since = policy::kNoSteadyTime;
  my_entry = nullptr;
  WakeLauncher();
}

void AskToRest(Oid database) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr) {
    AskAllToLeave(entry);
  }
}

int Dismiss(Oid database) {
  int there = DismissWorkers(database);
  const Lock lock;
  const DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr) {
    for (const ProcessPlace& place : entry->processes.by_kind) {
      Wake(place);
    }
    there += entry->processes.CountThere();
  }
  return there;
}

}  // namespace ratchet::board
