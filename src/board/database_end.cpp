#include "board/database_end.h"

#include "board/database_list.h"
#include "board/pool_list.h"
#include "board/run_list.h"
#include "board/run_waits.h"
#include "board/state.h"
#include "board/task_notices.h"

namespace ratchet::board {
namespace {

bool IsLeft(const RunSlot& run, Oid incarnation) {
  return !OidIsValid(incarnation) || run.ticket.incarnation != incarnation;
}

bool HasLeft(int pool, Oid incarnation) {
  for (int run = Pools()[pool].first_ready; run != kNone; run = Runs()[run].next) {
    if (IsLeft(Runs()[run], incarnation)) {
      return true;
    }
  }
  return false;
}

void ForgetReady(int pool, Oid incarnation) {
  if (OidIsValid(incarnation) && !HasLeft(pool, incarnation)) {
    return;  // it keeps its place in the line of those who wait for a worker
  }
  for (int left = Pools()[pool].ready; left > 0; left--) {
    const int run = RemoveReady(pool);
    if (IsLeft(Runs()[run], incarnation)) {
      ReturnSlot(run);
    } else {
      AppendReady(pool, run);
    }
  }
  if (Pools()[pool].ready == 0) {
    // Nobody is there to hear why a worker for those runs could not start.
    Pools()[pool].failed_starts = 0;
    Pools()[pool].held_at = policy::kNoSteadyTime;
  }
  DropPoolIfEmpty(pool);
}

void ForgetEnded(DatabaseEntry* entry, Oid incarnation) {
  int* link = &entry->first_ended;
  while (*link != kNone) {
    RunSlot& run = Runs()[*link];
    if (IsLeft(run, incarnation)) {
      *link = run.next;
      run.next = kNone;
    } else {
      link = &run.next;
    }
  }
}

// Processes that have not taken their place: they find that they are not wanted.
void TurnAway(Oid database) {
  for (int i = 0; i < TheBoard()->workers; i++) {
    WorkerSlot& worker = Workers()[i];
    if (worker.state == WorkerState::kStarting && worker.database == database) {
      SetState(&worker, WorkerState::kStarting, WorkerState::kLeaving);
    }
  }
}

}  // namespace

void ForgetRuns(Oid database, Oid incarnation) {
  for (int i = 0; i < TheBoard()->pools; i++) {
    if (Pools()[i].database == database) {
      ForgetReady(i, incarnation);
    }
  }
  if (DatabaseEntry* entry = FindEntry(database)) {
    ForgetEnded(entry, incarnation);
  }
  for (int i = 0; i < TheBoard()->runs; i++) {
    RunSlot& run = Runs()[i];
    if (run.state == RunState::kFree || run.ticket.database != database ||
        !IsLeft(run, incarnation)) {
      continue;
    }
    if (run.state == RunState::kRunning) {
      run.ticket.incarnation = InvalidOid;
    } else {
      ReturnSlot(i);
    }
  }
  ForgetTasks(database, incarnation);
}

void ForgetDatabase(Oid database) {
  {
    const Lock lock;
    DatabaseEntry* entry = FindEntry(database);
    if (entry == nullptr || entry->processes.CountThere() > 0 || entry->holds > 0) {
      return;
    }
    ForgetRuns(database, InvalidOid);
    TurnAway(database);
    entry->database = InvalidOid;
  }
  AnnounceRecorded();
}

void AdoptIncarnation(DatabaseEntry* entry, Oid incarnation) {
  {
    const Lock lock;
    entry->incarnation = incarnation;
    ForgetRuns(entry->database, incarnation);
  }
  AnnounceRecorded();
}

}  // namespace ratchet::board
