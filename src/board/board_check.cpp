#include "board/board_check.h"

#include <cstdio>

#include "board/board.h"
#include "board/complaints.h"
#include "board/database_list.h"
#include "board/task_board_check.h"

extern "C" {
#include "storage/proc.h"
}

namespace ratchet::board {
namespace {

class Check {
 public:
  explicit Check(Complaints* complaints)
      : complaints_(*complaints), lists_(static_cast<std::size_t>(TheBoard()->runs), 0) {}

  void All() {
    CheckFree();
    CheckPools();
    CheckEnded();
    CheckRuns();
    CheckWorkers();
    CheckDatabases();
  }

 private:
  void CheckFree();
  void CheckPools();
  void CheckPool(int index);
  void CheckEnded();
  void CheckRuns();
  void CheckRun(int slot);
  void CheckWorkers();
  void CheckDatabases();

  // The list's length. Each run must be in this state, and in no other list.
  int Follow(const char* list, int first, RunState state);

  Complaints& complaints_;
  std::vector<char> lists_;  // in how many lists the run is
};

const char* NameOf(RunState state) {
  switch (state) {
    case RunState::kFree:
      return "free";
    case RunState::kReserved:
      return "reserved";
    case RunState::kReady:
      return "ready";
    case RunState::kRunning:
      return "running";
    case RunState::kEnded:
      return "ended";
  }
  return "?";
}

int Check::Follow(const char* list, int first, RunState state) {
  int length = 0;
  for (int slot = first; slot != kNone; slot = Runs()[slot].next) {
    if (slot < 0 || slot >= TheBoard()->runs) {
      complaints_.Add("%s goes on at run slot %d, which there is not", list, slot);
      break;
    }
    if (++lists_[static_cast<std::size_t>(slot)] > 1) {
      complaints_.Add("run slot %d is in %s, and was in a list before", slot, list);
      break;
    }
    if (Runs()[slot].state != state) {
      complaints_.Add("run slot %d is in %s and %s", slot, list, NameOf(Runs()[slot].state));
    }
    length++;
  }
  return length;
}

void Check::CheckFree() { Follow("the list of free slots", TheBoard()->free_run, RunState::kFree); }

void Check::CheckPool(int index) {
  const Pool& pool = Pools()[index];
  char list[64];
  snprintf(list, sizeof(list), "the list of ready runs of pool %d", index);
  const int ready = Follow(list, pool.first_ready, RunState::kReady);
  if (ready != pool.ready) {
    complaints_.Add("pool %d has %d ready runs, and counts %d", index, ready, pool.ready);
  }
  for (int slot = pool.first_ready, left = ready; left > 0; slot = Runs()[slot].next, left--) {
    const RunTicket& ticket = Runs()[slot].ticket;
    if (ticket.database != pool.database || ticket.owner != pool.role) {
      complaints_.Add(
          "run slot %d is of database %u and role %u, and waits in pool %d of %u and %u", slot,
          ticket.database, ticket.owner, index, pool.database, pool.role);
    }
    if (Runs()[slot].next == kNone && pool.last_ready != slot) {
      complaints_.Add("pool %d ends with run slot %d, and says %d", index, slot, pool.last_ready);
    }
  }
  int workers = 0;
  int idle = 0;
  int of_role = 0;
  for (int i = 0; i < TheBoard()->workers; i++) {
    const WorkerSlot& worker = Workers()[i];
    const bool is_own = worker.state != WorkerState::kFree && worker.pool == index;
    workers += is_own ? 1 : 0;
    idle += is_own && worker.state == WorkerState::kIdle ? 1 : 0;
    of_role += worker.state != WorkerState::kFree && worker.role == pool.role ? 1 : 0;
  }
  if (workers != pool.workers || idle != pool.idle || of_role != pool.role_workers) {
    complaints_.Add("pool %d has %d workers, %d idle, %d of its role, and counts %d, %d, %d", index,
                    workers, idle, of_role, pool.workers, pool.idle, pool.role_workers);
  }
  if (pool.ready == 0 && pool.workers == 0 && pool.failed_starts == 0) {
    complaints_.Add("pool %d has nothing left, and is kept", index);
  }
  if (pool.ready == 0 && pool.waiting_since.IsSet()) {
    complaints_.Add("pool %d waits for a worker without a ready run", index);
  }
  const DatabaseEntry* entry = FindEntry(pool.database);
  if ((entry == nullptr || entry->state == DatabaseState::kAbsent) &&
      (pool.ready > 0 || pool.failed_starts > 0 || pool.waiting_since.IsSet())) {
    complaints_.Add("pool %d wants something in database %u, where no extension is", index,
                    pool.database);
  }
}

void Check::CheckPools() {
  for (int i = 0; i < kPools; i++) {
    if (i < TheBoard()->pools && OidIsValid(Pools()[i].database)) {
      CheckPool(i);
    } else if (OidIsValid(Pools()[i].database)) {
      complaints_.Add("pool %d is in use behind the end of the table, which is %d", i,
                      TheBoard()->pools);
    }
  }
}

void Check::CheckEnded() {
  for (int i = 0; i < TheBoard()->databases; i++) {
    const DatabaseEntry& entry = Databases()[i];
    if (!OidIsValid(entry.database)) {
      continue;
    }
    char list[64];
    snprintf(list, sizeof(list), "the list of ended runs of database %u", entry.database);
    int left = Follow(list, entry.first_ended, RunState::kEnded);
    for (int slot = entry.first_ended; left > 0; slot = Runs()[slot].next, left--) {
      if (Runs()[slot].ticket.database != entry.database) {
        complaints_.Add("run slot %d is of database %u, and has ended in %u", slot,
                        Runs()[slot].ticket.database, entry.database);
      }
    }
    if (entry.state == DatabaseState::kAbsent && entry.first_ended != kNone) {
      complaints_.Add("database %u has ended runs, and no extension", entry.database);
    }
  }
}

void Check::CheckRun(int slot) {
  const RunSlot& run = Runs()[slot];
  const DatabaseEntry* entry = FindEntry(run.ticket.database);
  const bool is_listed = lists_[static_cast<std::size_t>(slot)] > 0;
  if (is_listed != (run.state == RunState::kFree || run.state == RunState::kReady) &&
      run.state != RunState::kEnded) {
    complaints_.Add("run slot %d is %s, and in %s list", slot, NameOf(run.state),
                    is_listed ? "a" : "no");
  }
  if (run.state == RunState::kFree) {
    return;
  }
  // One that ended has its scheduler as long as it is in no list: it has taken it up.
  if (run.state == RunState::kEnded && !is_listed &&
      (entry == nullptr || entry->state == DatabaseState::kAbsent)) {
    complaints_.Add("run slot %d has ended, and nobody will take it up", slot);
  }
  if (run.state != RunState::kRunning &&
      (entry == nullptr || !OidIsValid(run.ticket.incarnation))) {
    complaints_.Add("run slot %d is %s, and its database or extension is gone", slot,
                    NameOf(run.state));
  }
  if ((run.state == RunState::kReserved || run.state == RunState::kReady) && entry != nullptr &&
      entry->incarnation != run.ticket.incarnation) {
    complaints_.Add("run slot %d is %s and of extension %u, where there is %u", slot,
                    NameOf(run.state), run.ticket.incarnation, entry->incarnation);
  }
  if (run.state != RunState::kRunning) {
    return;
  }
  if (run.ticket.foreground != (run.worker == kNone)) {
    complaints_.Add("run slot %d is running %s foreground, and has worker %d", slot,
                    run.ticket.foreground ? "in the" : "not in the", run.worker);
  } else if (run.worker != kNone && Workers()[run.worker].run != slot) {
    complaints_.Add("run slot %d is running in worker %d, which has run slot %d", slot, run.worker,
                    Workers()[run.worker].run);
  }
}

void Check::CheckRuns() {
  int foreground = 0;
  for (int i = 0; i < TheBoard()->runs; i++) {
    CheckRun(i);
    const RunSlot& run = Runs()[i];
    foreground += run.state == RunState::kRunning && run.ticket.foreground ? 1 : 0;
  }
  if (foreground != TheBoard()->active_foreground) {
    complaints_.Add("%d runs are in the foreground, and %d are counted", foreground,
                    TheBoard()->active_foreground);
  }
  if (TheBoard()->run_waiters < 0 || TheBoard()->run_waiters > MaxBackends) {
    complaints_.Add("%d sessions wait for runs", TheBoard()->run_waiters);
  }
}

void Check::CheckWorkers() {
  for (int i = 0; i < TheBoard()->workers; i++) {
    const WorkerSlot& worker = Workers()[i];
    if (worker.state == WorkerState::kFree) {
      if (worker.pool != kNone || worker.run != kNone || worker.pid != 0 || worker.proc != kNone) {
        complaints_.Add("worker slot %d is free, and has pool %d, run slot %d, process %d", i,
                        worker.pool, worker.run, static_cast<int>(worker.pid));
      }
      continue;
    }
    if (worker.pool == kNone || Pools()[worker.pool].database != worker.database ||
        Pools()[worker.pool].role != worker.role) {
      complaints_.Add("worker slot %d is of database %u and role %u, and in pool %d", i,
                      worker.database, worker.role, worker.pool);
    }
    if (worker.run != kNone &&
        (Runs()[worker.run].state != RunState::kRunning || Runs()[worker.run].worker != i)) {
      complaints_.Add("worker slot %d has run slot %d, which is %s in worker %d", i, worker.run,
                      NameOf(Runs()[worker.run].state), Runs()[worker.run].worker);
    }
    if (worker.run != kNone && worker.state != WorkerState::kBusy &&
        worker.state != WorkerState::kLeaving) {
      complaints_.Add("worker slot %d has run slot %d, and is not busy", i, worker.run);
    }
  }
}

void Check::CheckDatabases() {
  for (int i = 0; i < TheBoard()->databases; i++) {
    const DatabaseEntry& entry = Databases()[i];
    if (!OidIsValid(entry.database)) {
      continue;
    }
    if (FindEntry(entry.database) != &entry) {
      complaints_.Add("database %u has two entries", entry.database);
    }
    if (entry.scheduler().IsThere() != (entry.state == DatabaseState::kActive)) {
      complaints_.Add("database %u has scheduler %d, in state %d", entry.database,
                      static_cast<int>(entry.scheduler().pid), static_cast<int>(entry.state));
    }
    if (entry.holds < 0 || entry.change_count < 0 || entry.change_count > kChangeRingSize) {
      complaints_.Add("database %u counts %d holds and %d changes", entry.database, entry.holds,
                      entry.change_count);
    }
    if (entry.state == DatabaseState::kAbsent && OidIsValid(entry.incarnation)) {
      complaints_.Add("database %u has no extension, and knows %u", entry.database,
                      entry.incarnation);
    }
  }
}

}  // namespace

std::vector<std::string> CheckBoard() {
  Complaints complaints;
  Check check(&complaints);
  {
    const Lock lock(LW_SHARED);
    check.All();
  }
  CheckTasks(&complaints);
  return complaints.texts();
}

}  // namespace ratchet::board
