#include "board/change_board.h"

#include <cstddef>

#include "board/database_board.h"

extern "C" {
#include "common/hashfn.h"
}

namespace ratchet::board {
namespace {

// A job has its entry in one of these groups, so that nobody looks through more than that. Entries
// are written under the board's lock, and read without it.
constexpr int kGroupSize = 16;
constexpr int kGroups = kChangedJobs / kGroupSize;
static_assert(kChangedJobs % kGroupSize == 0);

ChangedJob* GroupOf(Oid database, std::int64_t job_id) {
  const auto id = static_cast<std::uint64_t>(job_id);
  const uint32 hash =
      hash_combine(murmurhash32(database), murmurhash32(static_cast<uint32>(id ^ (id >> 32))));
  return ChangedJobs() + static_cast<std::ptrdiff_t>(hash % kGroups) * kGroupSize;
}

bool IsUsed(ChangedJob* entry) {
  const bool used = pg_atomic_read_u32(&entry->used) != 0;
  pg_read_barrier();
  return used;
}

// What is read of an entry that others remove and use anew meanwhile may be of another job; then
// the one that was looked for is gone, and what becomes of its changes does not matter any more.
ChangedJob* Find(Oid database, const Change& change) {
  ChangedJob* group = GroupOf(database, change.id);
  for (int i = 0; i < kGroupSize; i++) {
    if (IsUsed(&group[i]) && group[i].database == database && group[i].job_id == change.id &&
        group[i].job_born == change.job_born && group[i].made_by == change.made_by) {
      pg_read_barrier();
      return &group[i];
    }
  }
  return nullptr;
}

// Under the lock. Null when the group is full.
ChangedJob* FindOrAdd(Oid database, const Change& change) {
  if (ChangedJob* found = Find(database, change)) {
    return found;
  }
  ChangedJob* group = GroupOf(database, change.id);
  for (int i = 0; i < kGroupSize; i++) {
    ChangedJob* entry = &group[i];
    if (pg_atomic_read_u32(&entry->used) == 0) {
      pg_atomic_write_u64(&entry->due, 0);
      pg_write_barrier();
      entry->database = database;
      entry->made_by = change.made_by;
      entry->job_id = change.id;
      entry->job_born = change.job_born;
      pg_write_barrier();
      pg_atomic_write_u32(&entry->used, 1);
      return entry;
    }
  }
  TheBoard()->changed_jobs_full = true;
  return nullptr;
}

bool IsAskedFor(ChangedJob* entry, std::uint64_t due) {
  const std::uint64_t asked = pg_atomic_read_u64(&entry->due);
  return asked != 0 && asked <= due;
}

// False when a run is asked for already that is not later. When there is no place for the job,
// every commit tells the scheduler: slower, and nothing is lost.
bool Ask(Oid database, const Change& change) {
  const auto due = static_cast<std::uint64_t>(change.due.micros);
  ChangedJob* known = Find(database, change);
  if (known != nullptr && IsAskedFor(known, due)) {
    return false;
  }
  const Lock lock;
  ChangedJob* entry = FindOrAdd(database, change);
  if (entry == nullptr) {
    return true;
  }
  // The scheduler sets it back without the lock.
  std::uint64_t asked = pg_atomic_read_u64(&entry->due);
  while (asked == 0 || asked > due) {
    if (pg_atomic_compare_exchange_u64(&entry->due, &asked, due)) {
      return true;
    }
  }
  return false;
}

bool IsOf(ChangedJob* entry, Oid database, std::int64_t job_id) {
  return IsUsed(entry) && entry->database == database && (job_id == 0 || entry->job_id == job_id);
}

void Remove(ChangedJob* entry) { pg_atomic_write_u32(&entry->used, 0); }

}  // namespace

void AnnounceTableChange(Oid database, const Change& change) {
  if (TheBoard() == nullptr) {
    return;
  }
  pg_memory_barrier();
  if (!Ask(database, change)) {
    return;
  }
  NoteChanges(database, {&change, 1}, false);
}

bool AskForRunOnChange(Oid database, const Change& change) {
  return !Ask(database, change) || Find(database, change) != nullptr;
}

void ClearTableChange(Oid database, std::int64_t job_id) {
  ChangedJob* group = GroupOf(database, job_id);
  for (int i = 0; i < kGroupSize; i++) {
    if (IsOf(&group[i], database, job_id)) {
      pg_atomic_exchange_u64(&group[i].due, 0);
    }
  }
}

void ClearTableChangeBy(Oid database, std::int64_t job_id, Oid made_by) {
  ChangedJob* group = GroupOf(database, job_id);
  for (int i = 0; i < kGroupSize; i++) {
    if (IsOf(&group[i], database, job_id) && group[i].made_by == made_by) {
      pg_atomic_exchange_u64(&group[i].due, 0);
    }
  }
}

void ListChangedJobs(Oid database, std::int64_t job_id, std::vector<Change>* jobs) {
  ChangedJob* first = job_id != 0 ? GroupOf(database, job_id) : ChangedJobs();
  const int count = job_id != 0 ? kGroupSize : kChangedJobs;
  for (int i = 0; i < count; i++) {
    if (IsOf(&first[i], database, job_id)) {
      const auto due = static_cast<std::int64_t>(pg_atomic_read_u64(&first[i].due));
      jobs->push_back({Change::kTableChange, first[i].job_id, first[i].job_born, first[i].made_by,
                       policy::SteadyTime{due}});
    }
  }
}

void ListTableChanges(Oid database, std::int64_t job_id, std::vector<Change>* changes) {
  ListChangedJobs(database, job_id, changes);
  std::erase_if(*changes, [](const Change& change) { return !change.due.IsSet(); });
}

void ForgetChangedJob(Oid database, std::int64_t job_id, std::int64_t job_born) {
  const Lock lock;
  ChangedJob* group = GroupOf(database, job_id);
  for (int i = 0; i < kGroupSize; i++) {
    if (IsOf(&group[i], database, job_id) && group[i].job_born == job_born) {
      Remove(&group[i]);
    }
  }
}

// One group after the other: nobody waits for the whole of it.
void ForgetChangedJobs(Oid database) {
  for (ChangedJob* entry = ChangedJobs(); entry < ChangedJobs() + kChangedJobs; entry++) {
    if (IsOf(entry, database, 0)) {
      const Lock lock;
      if (IsOf(entry, database, 0)) {
        Remove(entry);
      }
    }
  }
}

}  // namespace ratchet::board
