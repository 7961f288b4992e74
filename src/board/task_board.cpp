#include "board/task_board.h"

#include <cstddef>

#include "pg/settings.h"

extern "C" {
#include "miscadmin.h"
#include "storage/shmem.h"
}

namespace ratchet::board {
namespace {

constexpr char kTranche[] = "pg_ratchet_tasks";

TaskBoard* the_board = nullptr;
TaskDatabase* databases = nullptr;
StretchSlot* stretches = nullptr;
ClaimSlot* claims = nullptr;
ClaimedTask* claimed_tasks = nullptr;
QueueSlot* queues = nullptr;

// One that was left keeps its slot until the scheduler has looked at it.
int StretchSlots() { return 2 * pg::settings.max_workers; }

// Of several megabytes most is never touched.
struct Sizes {
  Size board = MAXALIGN(sizeof(TaskBoard));
  Size databases = MAXALIGN(sizeof(TaskDatabase) * pg::settings.max_databases);
  Size stretches = MAXALIGN(sizeof(StretchSlot) * StretchSlots());
  Size claims = MAXALIGN(sizeof(ClaimSlot) * MaxBackends);
  Size claimed = MAXALIGN(sizeof(ClaimedTask) * kMostTasks * MaxBackends);
  Size queues = MAXALIGN(sizeof(QueueSlot) * pg::settings.max_queues);

  Size Total() const { return board + databases + stretches + claims + claimed + queues; }
};

void Place(char* base) {
  const Sizes sizes;
  the_board = reinterpret_cast<TaskBoard*>(base);
  databases = reinterpret_cast<TaskDatabase*>(base += sizes.board);
  stretches = reinterpret_cast<StretchSlot*>(base += sizes.databases);
  claims = reinterpret_cast<ClaimSlot*>(base += sizes.stretches);
  claimed_tasks = reinterpret_cast<ClaimedTask*>(base += sizes.claims);
  queues = reinterpret_cast<QueueSlot*>(base + sizes.claimed);
}

// What is behind a count is not looked at before it is written.
void Initialize() {
  *the_board = TaskBoard{&(GetNamedLWLockTranche(kTranche))->lock,
                         pg::settings.max_databases,
                         StretchSlots(),
                         MaxBackends,
                         pg::settings.max_queues,
                         0,
                         0};
  for (int i = 0; i < the_board->databases; i++) {
    databases[i].database = InvalidOid;
    databases[i].scheduler_proc = kNone;
    databases[i].lost = false;
    databases[i].has_claims = false;
    databases[i].judged = false;
    databases[i].notice_count = 0;
  }
  for (int i = 0; i < the_board->stretches; i++) {
    MemSet(&stretches[i], 0, offsetof(StretchSlot, buffers));
    for (TaskBuffer& buffer : stretches[i].buffers) {
      MemSet(&buffer, 0, offsetof(TaskBuffer, tasks));
    }
    stretches[i].proc = stretches[i].run = kNone;
  }
  MemSet(claims, 0, sizeof(ClaimSlot) * the_board->claims);
  for (int i = 0; i < the_board->queues; i++) {
    queues[i].database = InvalidOid;
  }
}

}  // namespace

TaskBoard* TheTaskBoard() { return the_board; }
TaskDatabase* TaskDatabases() { return databases; }
StretchSlot* Stretches() { return stretches; }
ClaimSlot* Claims() { return claims; }
ClaimedTask* ClaimedTasks(int claim) {
  return claimed_tasks + static_cast<std::ptrdiff_t>(claim) * kMostTasks;
}
QueueSlot* Queues() { return queues; }

void RequestTaskMemory() {
  RequestAddinShmemSpace(Sizes().Total());
  RequestNamedLWLockTranche(kTranche, 1);
}

void StartUpTaskMemory() {
  bool found = false;
  Place(static_cast<char*>(ShmemInitStruct("pg_ratchet tasks", Sizes().Total(), &found)));
  if (!found) {
    Initialize();
  }
}

TaskLock::TaskLock(LWLockMode mode) { LWLockAcquire(the_board->lock, mode); }
TaskLock::~TaskLock() { LWLockRelease(the_board->lock); }

}  // namespace ratchet::board
