#include "board/database_board.h"

#include "board/database_end.h"
#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/state.h"
#include "board/task_notices.h"
#include "board/worker_board.h"
#include "pg/clock.h"
#include "pg/compat.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

DatabaseEntry* my_entry = nullptr;

// Callers hold the lock.
DatabaseEntry* FindOrAdd(Oid database) {
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr) {
    return entry;
  }
  entry = FindEntry(InvalidOid);
  if (entry != nullptr) {
    *entry = DatabaseEntry{};
    entry->database = database;
    entry->scheduler_proc = kNone;
    entry->first_ended = kNone;
  }
  return entry;
}

// A scheduler that died is replaced after this time, so that one that cannot start is no storm.
constexpr std::int64_t kRestartDelay = USECS_PER_SEC;

// The postmaster starts the launcher again a second after it has died, by the wall clock: if that
// is set back meanwhile, it may be hours.
constexpr std::int64_t kLauncherMissed = 3 * USECS_PER_SEC;

void SchedulerGone(int /*code*/, Datum /*argument*/) {
  if (my_entry != nullptr) {
    Detach(my_entry, DatabaseState::kUnknown, pg::SteadyNow() + kRestartDelay);
  }
}

void LauncherGone(int /*code*/, Datum /*argument*/) {
  const Lock lock;
  if (TheBoard()->launcher_pid != MyProcPid) {
    return;  // another one has taken over
  }
  TheBoard()->launcher_proc = kNone;
  TheBoard()->launcher_pid = 0;
  TheBoard()->launcher_gone = pg::SteadyNow();
  for (int i = 0; i < TheBoard()->databases; i++) {
    WakeProc(Databases()[i].scheduler_proc);  // they see to it that there is one again
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

// The schedulers that a launcher has asked for are unknown to the next one.
void ForgetStarting() {
  for (int i = 0; i < TheBoard()->databases; i++) {
    DatabaseEntry& entry = Databases()[i];
    if (entry.state == DatabaseState::kStarting && entry.scheduler_proc == kNone) {
      SetState(&entry, DatabaseState::kStarting, DatabaseState::kUnknown);
      entry.rest_until = policy::kNoSteadyTime;
    }
  }
}

}  // namespace

DatabaseEntry* FindEntry(Oid database) {
  for (int i = 0; i < TheBoard()->databases; i++) {
    if (Databases()[i].database == database) {
      return &Databases()[i];
    }
  }
  return nullptr;
}

void WakeSchedulerOrLauncher(DatabaseEntry* entry) {
  if (entry->scheduler_proc != kNone) {
    WakeProc(entry->scheduler_proc);
    return;
  }
  if (entry->state == DatabaseState::kResting || entry->state == DatabaseState::kAbsent) {
    SetState(entry, entry->state, DatabaseState::kUnknown);
    entry->rest_until = policy::kNoSteadyTime;
  }
  WakeLauncher();
}

void WakeSchedulerOf(Oid database) {
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr) {
    WakeSchedulerOrLauncher(entry);
  }
}

void NoteChanges(Oid database, std::span<const Change> changes, bool everything) {
  if (TheBoard() == nullptr) {
    return;
  }
  const Lock lock;
  DatabaseEntry* entry = FindOrAdd(database);
  if (entry == nullptr) {
    return;
  }
  entry->only_held = false;
  if (everything || entry->change_count + changes.size() > kChangeRingSize) {
    entry->changes_lost = true;
    entry->change_count = 0;
  } else if (!entry->changes_lost) {
    for (const Change& change : changes) {
      entry->changes[entry->change_count++] = change;
    }
  }
  WakeSchedulerOrLauncher(entry);
}

void NotePreparedChanges(Oid database) {
  if (TheBoard() == nullptr) {
    return;
  }
  const Lock lock;
  DatabaseEntry* entry = FindOrAdd(database);
  if (entry != nullptr) {
    entry->prepared_changes = true;
  }
}

void NotePreparedCommit(Oid database) {
  if (TheBoard() == nullptr) {
    return;
  }
  {
    const Lock lock;
    DatabaseEntry* entry = FindEntry(database);
    if (entry != nullptr && entry->prepared_changes) {
      entry->changes_swept = false;
    }
  }
  NoteAllTasks(database);
  NoteChanges(database, {}, true);
}

bool Hold(Oid database) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry == nullptr) {
    entry = FindOrAdd(database);
    if (entry == nullptr) {
      return false;
    }
    SetState(entry, DatabaseState::kUnknown, DatabaseState::kAbsent);
    entry->only_held = true;
  }
  entry->holds++;
  entry->holder_pid = MyProcPid;
  return true;
}

void Release(Oid database) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry == nullptr || entry->holds == 0) {
    return;
  }
  entry->holds--;
  TheBoard()->rescan_databases = true;  // it may be gone, or new to the launcher
  if (entry->holds == 0 && entry->only_held) {
    entry->database = InvalidOid;
    WakeLauncher();
  } else {
    WakeSchedulerOrLauncher(entry);
  }
}

int Dismiss(Oid database) {
  int there = DismissWorkers(database);
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr && entry->scheduler_proc != kNone) {
    WakeProc(entry->scheduler_proc);
    there++;
  }
  return there;
}

void NoteNewDatabases() {
  if (TheBoard() == nullptr) {
    return;
  }
  const Lock lock;
  TheBoard()->rescan_databases = true;
  WakeLauncher();
}

void NewSessionEpoch() {
  if (TheBoard() != nullptr) {
    const Lock lock;
    TheBoard()->session_epoch++;
  }
}

std::uint32_t SessionEpoch() { return TheBoard()->session_epoch; }

void NewZonesEpoch() {
  const Lock lock;
  TheBoard()->zones_epoch++;
}

std::uint32_t ZonesEpoch() { return TheBoard()->zones_epoch; }

bool AttachLauncher(bool stands_in) {
  {
    const Lock lock;
    if (stands_in && TheBoard()->launcher_pid != 0) {
      return false;
    }
    TheBoard()->launcher_proc = pg::MyPlaceInAllProcs();
    TheBoard()->launcher_pid = MyProcPid;
    ForgetStarting();
  }
  on_shmem_exit(LauncherGone, 0);
  return true;
}

bool IsLauncher() {
  const Lock lock(LW_SHARED);
  return TheBoard()->launcher_pid == MyProcPid;
}

policy::SteadyTime LauncherMissedAt() {
  const Lock lock(LW_SHARED);
  const Board& board = *TheBoard();
  return board.launcher_pid == 0 && board.launcher_gone.IsSet()
             ? board.launcher_gone + kLauncherMissed
             : policy::kNoSteadyTime;
}

bool TakeLauncherStart(policy::SteadyTime now) {
  const Lock lock;
  Board& board = *TheBoard();
  if (board.launcher_pid != 0 || !board.launcher_gone.IsSet() ||
      board.launcher_gone + kLauncherMissed > now) {
    return false;
  }
  board.launcher_gone = now;
  return true;
}

void ListDatabases(std::vector<DatabaseView>* out) {
  out->clear();
  out->reserve(static_cast<std::size_t>(TheBoard()->databases));
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->databases; i++) {
    const DatabaseEntry& entry = Databases()[i];
    if (OidIsValid(entry.database)) {
      out->push_back({entry.database, entry.state, entry.holds > 0, entry.waits_for_worker,
                      entry.scheduler_pid, entry.rest_until, entry.active_since});
    }
  }
}

std::optional<DatabaseEntry> ViewDatabase(Oid database) {
  const Lock lock(LW_SHARED);
  const DatabaseEntry* entry = FindEntry(database);
  return entry != nullptr ? std::optional(*entry) : std::nullopt;
}

bool IsQuarantined(Oid database) {
  const Lock lock(LW_SHARED);
  const DatabaseEntry* entry = FindEntry(database);
  return entry != nullptr && entry->quarantined;
}

bool TakeNewDatabases() {
  const Lock lock;
  const bool announced = TheBoard()->rescan_databases;
  TheBoard()->rescan_databases = false;
  return announced;
}

bool AddDatabase(Oid database) {
  const Lock lock;
  DatabaseEntry* entry = FindOrAdd(database);
  if (entry != nullptr) {
    entry->only_held = false;
  }
  return entry != nullptr;
}

void MarkStarting(Oid database, policy::SteadyTime now) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr && entry->scheduler_proc == kNone) {
    SetState(entry, entry->state, DatabaseState::kStarting);
    entry->active_since = now;
  }
}

void MarkStopped(Oid database, policy::SteadyTime retry) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr && entry->scheduler_proc == kNone &&
      entry->state == DatabaseState::kStarting) {
    SetState(entry, DatabaseState::kStarting, DatabaseState::kResting);
    entry->rest_until = retry;
  }
}

void EndRests() {
  const Lock lock;
  for (int i = 0; i < TheBoard()->databases; i++) {
    DatabaseEntry& entry = Databases()[i];
    if (OidIsValid(entry.database) && entry.state == DatabaseState::kResting) {
      entry.rest_until = policy::kNoSteadyTime;
    }
  }
}

void AskToRest(Oid database) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr && entry->scheduler_proc != kNone) {
    entry->leave = true;
    WakeProc(entry->scheduler_proc);
  }
}

DatabaseEntry* AttachScheduler(Oid database) {
  {
    const Lock lock;
    DatabaseEntry* entry = FindOrAdd(database);
    if (entry == nullptr || entry->scheduler_proc != kNone || entry->holds > 0) {
      return nullptr;
    }
    SetState(entry, entry->state, DatabaseState::kActive);
    entry->scheduler_proc = pg::MyPlaceInAllProcs();
    entry->scheduler_pid = MyProcPid;
    entry->active_since = pg::SteadyNow();
    entry->leave = false;
    entry->changes_lost = true;  // a new scheduler reads everything
    entry->change_count = 0;
    my_entry = entry;
  }
  on_shmem_exit(SchedulerGone, 0);
  return my_entry;
}

void Detach(DatabaseEntry* entry, DatabaseState state, policy::SteadyTime rest_until) {
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
  entry->scheduler_proc = kNone;
  entry->scheduler_pid = 0;
  entry->waits_for_worker = false;
  entry->work_waits_since = policy::kNoSteadyTime;
  entry->leave = false;
  my_entry = nullptr;
  WakeLauncher();
}

// Only the scheduler writes these: it may look without the lock.
void NotePass(DatabaseEntry* entry, TimestampTz now, const char* failure) {
  if (failure == nullptr && entry->failing_since == 0) {
    return;
  }
  const Lock lock;
  if (failure == nullptr) {
    entry->failing_since = 0;
    return;
  }
  if (entry->failing_since == 0) {
    entry->failing_since = now;
  }
  strlcpy(entry->failure, failure, sizeof(entry->failure));
}

void NoteWaitingWork(DatabaseEntry* entry, policy::SteadyTime now, bool waits) {
  if (waits != entry->work_waits_since.IsSet()) {
    const Lock lock;
    entry->work_waits_since = waits ? now : policy::kNoSteadyTime;
  }
}

bool MustLeave(DatabaseEntry* entry) { return entry->holds > 0 || entry->leave; }

bool TakeChanges(DatabaseEntry* entry, std::vector<Change>* changes) {
  changes->clear();
  changes->reserve(kChangeRingSize);
  const Lock lock;
  for (int i = 0; i < entry->change_count; i++) {
    changes->push_back(entry->changes[i]);
  }
  entry->change_count = 0;
  const bool lost = entry->changes_lost;
  entry->changes_lost = false;
  return lost;
}

}  // namespace ratchet::board
