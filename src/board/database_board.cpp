#include "board/database_board.h"

#include "board/database_list.h"
#include "board/state.h"
#include "board/task_notices.h"

namespace ratchet::board {

DatabaseEntry* FindEntry(Oid database) {
  for (int i = 0; i < TheBoard()->databases; i++) {
    if (Databases()[i].database == database) {
      return &Databases()[i];
    }
  }
  return nullptr;
}

DatabaseEntry* FindOrAddEntry(Oid database) {
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr) {
    return entry;
  }
  entry = FindEntry(InvalidOid);
  if (entry != nullptr) {
    *entry = DatabaseEntry{};
    entry->database = database;
    entry->first_ended = kNone;
  }
  return entry;
}

void WakeSchedulerOrLauncher(DatabaseEntry* entry) {
  if (entry->scheduler().IsThere()) {
    Wake(entry->scheduler());
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
  DatabaseEntry* entry = FindOrAddEntry(database);
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
  DatabaseEntry* entry = FindOrAddEntry(database);
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
    entry = FindOrAddEntry(database);
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

void ListDatabases(std::vector<DatabaseView>* out) {
  out->clear();
  out->reserve(static_cast<std::size_t>(TheBoard()->databases));
  const Lock lock(LW_SHARED);
  for (int i = 0; i < TheBoard()->databases; i++) {
    const DatabaseEntry& entry = Databases()[i];
    if (OidIsValid(entry.database)) {
      out->push_back({entry.database, entry.state, entry.holds > 0, entry.waits_for_worker,
                      entry.scheduler().pid, entry.rest_until, entry.active_since});
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
  DatabaseEntry* entry = FindOrAddEntry(database);
  if (entry != nullptr) {
    entry->only_held = false;
  }
  return entry != nullptr;
}

void MarkStarting(Oid database, policy::SteadyTime now) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr && !entry->scheduler().IsThere()) {
    SetState(entry, entry->state, DatabaseState::kStarting);
    entry->active_since = now;
  }
}

void MarkStopped(Oid database, policy::SteadyTime retry) {
  const Lock lock;
  DatabaseEntry* entry = FindEntry(database);
  if (entry != nullptr && !entry->scheduler().IsThere() &&
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
