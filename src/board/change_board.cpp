#include "board/change_board.h"

#include <algorithm>

#include "board/database_board.h"

extern "C" {
#include "common/hashfn.h"
}

namespace ratchet::board {
namespace {

// Where the search for the job begins; entries never go, so that it needs no lock.
int HomeOf(Oid database, std::int64_t job_id) {
  const auto id = static_cast<std::uint64_t>(job_id);
  const uint32 hash =
      hash_combine(murmurhash32(database), murmurhash32(static_cast<uint32>(id ^ (id >> 32))));
  return static_cast<int>(hash % kChangedJobs);
}

// Visits the entries of the job, and the free one behind them; stops when `visit` returns true.
template <typename Visit>
void Probe(Oid database, std::int64_t job_id, Visit visit) {
  const int home = HomeOf(database, job_id);
  for (int i = 0; i < kChangedJobs; i++) {
    ChangedJob* entry = &ChangedJobs()[(home + i) % kChangedJobs];
    const bool used = pg_atomic_read_u32(&entry->used) != 0;
    pg_read_barrier();
    if (!used) {
      visit(entry, false);
      return;
    }
    if (entry->database == database && entry->job_id == job_id && visit(entry, true)) {
      return;
    }
  }
}

bool IsFor(const ChangedJob& entry, const Change& change) {
  return entry.job_born == change.job_born && entry.made_by == change.made_by;
}

ChangedJob* Find(Oid database, const Change& change) {
  ChangedJob* found = nullptr;
  Probe(database, change.id, [&](ChangedJob* entry, bool used) {
    if (used && IsFor(*entry, change)) {
      found = entry;
    }
    return found != nullptr;
  });
  return found;
}

// Null when the table is full.
ChangedJob* FindOrAdd(Oid database, const Change& change) {
  ChangedJob* found = Find(database, change);
  if (found != nullptr) {
    return found;
  }
  const Lock lock;
  Probe(database, change.id, [&](ChangedJob* entry, bool used) {
    if (!used) {
      entry->database = database;
      entry->made_by = change.made_by;
      entry->job_id = change.id;
      entry->job_born = change.job_born;
      pg_write_barrier();
      pg_atomic_write_u32(&entry->used, 1);
      found = entry;
    } else if (IsFor(*entry, change)) {
      found = entry;
    }
    return found != nullptr;
  });
  if (found == nullptr) {
    TheBoard()->changed_jobs_full = true;
  }
  return found;
}

// False when a run is asked for already that is not later.
bool Ask(ChangedJob* entry, std::uint64_t due) {
  std::uint64_t asked = pg_atomic_read_u64(&entry->due);
  while (asked == 0 || asked > due) {
    if (pg_atomic_compare_exchange_u64(&entry->due, &asked, due)) {
      return true;
    }
  }
  return false;
}

void AppendIfAsked(ChangedJob* entry, std::vector<Change>* changes) {
  const std::uint64_t due = pg_atomic_read_u64(&entry->due);
  if (due != 0) {
    changes->push_back({Change::kTableChange, entry->job_id, entry->job_born, entry->made_by,
                        policy::SteadyTime{static_cast<std::int64_t>(due)}});
  }
}

}  // namespace

void AnnounceTableChange(Oid database, const Change& change) {
  if (TheBoard() == nullptr) {
    return;
  }
  pg_memory_barrier();
  ChangedJob* entry = FindOrAdd(database, change);
  if (entry != nullptr && !Ask(entry, static_cast<std::uint64_t>(change.due.micros))) {
    return;
  }
  // When the table is full, every commit tells the scheduler: slower, and nothing is lost.
  NoteChanges(database, {&change, 1}, false);
}

void ClearTableChange(Oid database, std::int64_t job_id) {
  Probe(database, job_id, [](ChangedJob* entry, bool used) {
    if (used) {
      pg_atomic_exchange_u64(&entry->due, 0);
    }
    return false;
  });
}

void ClearTableChangeBy(Oid database, std::int64_t job_id, Oid made_by) {
  Probe(database, job_id, [made_by](ChangedJob* entry, bool used) {
    if (used && entry->made_by == made_by) {
      pg_atomic_exchange_u64(&entry->due, 0);
    }
    return false;
  });
}

void ListTableChanges(Oid database, std::int64_t job_id, std::vector<Change>* changes) {
  if (job_id != 0) {
    Probe(database, job_id, [changes](ChangedJob* entry, bool used) {
      if (used) {
        AppendIfAsked(entry, changes);
      }
      return false;
    });
    return;
  }
  for (int i = 0; i < kChangedJobs; i++) {
    ChangedJob* entry = &ChangedJobs()[i];
    const bool used = pg_atomic_read_u32(&entry->used) != 0;
    pg_read_barrier();
    if (used && entry->database == database) {
      AppendIfAsked(entry, changes);
    }
  }
}

}  // namespace ratchet::board
