#include "board/board.h"

#include <algorithm>
#include <cstdlib>

#include "board/sender_board.h"
#include "board/task_board.h"
#include "pg/clock.h"
#include "pg/data_directory.h"
#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
}

namespace ratchet::board {
namespace {

constexpr char kTranche[] = "pg_ratchet";

Board* the_board = nullptr;
DatabaseEntry* databases = nullptr;
WorkerSlot* workers = nullptr;
Pool* pools = nullptr;
RunSlot* runs = nullptr;
ChangedJob* changed_jobs = nullptr;

shmem_request_hook_type previous_request = nullptr;
shmem_startup_hook_type previous_startup = nullptr;

// Enough for every worker to have its next runs at hand, and for foreground sessions.
int RunSlots() { return std::clamp(64 * pg::settings.max_workers, 512, 8192); }

struct Sizes {
  Size board = MAXALIGN(sizeof(Board));
  Size databases = MAXALIGN(sizeof(DatabaseEntry) * pg::settings.max_databases);
  Size workers = MAXALIGN(sizeof(WorkerSlot) * pg::settings.max_workers);
  Size pools = MAXALIGN(sizeof(Pool) * kPools);
  Size runs = MAXALIGN(sizeof(RunSlot) * RunSlots());
  Size changed_jobs = MAXALIGN(sizeof(ChangedJob) * kChangedJobs);

  Size Total() const { return board + databases + workers + pools + runs + changed_jobs; }
};

void Place(char* base) {
  const Sizes sizes;
  the_board = reinterpret_cast<Board*>(base);
  databases = reinterpret_cast<DatabaseEntry*>(base += sizes.board);
  workers = reinterpret_cast<WorkerSlot*>(base += sizes.databases);
  pools = reinterpret_cast<Pool*>(base += sizes.workers);
  runs = reinterpret_cast<RunSlot*>(base += sizes.pools);
  changed_jobs = reinterpret_cast<ChangedJob*>(base + sizes.runs);
}

void Initialize() {
  const Sizes sizes;
  MemSet(the_board, 0, sizes.Total());
  the_board->lock = &(GetNamedLWLockTranche(kTranche))->lock;
  the_board->databases = pg::settings.max_databases;
  the_board->workers = pg::settings.max_workers;
  the_board->runs = RunSlots();
  the_board->rescan_databases = true;
  const policy::Moment now = pg::Now();
  the_board->server_start = now.wall;
  the_board->clock_offset = now.wall - now.steady.micros;
  const policy::DirectoryMark mark = pg::ExamineDataDirectory();
  the_board->copy = mark.copy;
  the_board->copy_id = mark.copy_id;
  ConditionVariableInit(&the_board->run_ended);
  for (int i = 0; i < the_board->databases; i++) {
    databases[i].first_ended = kNone;
  }
  for (int i = 0; i < the_board->workers; i++) {
    workers[i].run = kNone;
    workers[i].proc = kNone;
    workers[i].pool = kNone;
  }
  for (int i = 0; i < the_board->runs; i++) {
    runs[i].next = i + 1 < the_board->runs ? i + 1 : kNone;
    runs[i].worker = kNone;
    runs[i].proc = kNone;
  }
  the_board->free_run = 0;
  for (int i = 0; i < kChangedJobs; i++) {
    pg_atomic_init_u32(&changed_jobs[i].used, 0);
    pg_atomic_init_u64(&changed_jobs[i].due, 0);
  }
}

void RequestSharedMemory() {
  if (previous_request != nullptr) {
    previous_request();
  }
  RequestAddinShmemSpace(Sizes().Total());
  RequestNamedLWLockTranche(kTranche, 1);
  RequestTaskMemory();
  RequestSenderMemory();
}

void StartUpSharedMemory() {
  if (previous_startup != nullptr) {
    previous_startup();
  }
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  void* segment = ShmemInitStruct("pg_ratchet", Sizes().Total(), &found);
  Place(static_cast<char*>(segment));
  if (!found) {
    Initialize();
  }
  StartUpTaskMemory();
  StartUpSenderMemory();
  LWLockRelease(AddinShmemInitLock);
}

}  // namespace

Board* TheBoard() { return the_board; }

Board& RequireBoard() {
  if (the_board == nullptr) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, kNotLoaded, kNotLoadedHint);
  }
  return *the_board;
}

int ProcessPlaces::CountThere() const {
  return static_cast<int>(std::count_if(std::begin(by_kind), std::end(by_kind),
                                        [](const ProcessPlace& place) { return place.IsThere(); }));
}

DatabaseEntry* Databases() { return databases; }
WorkerSlot* Workers() { return workers; }
Pool* Pools() { return pools; }
RunSlot* Runs() { return runs; }
ChangedJob* ChangedJobs() { return changed_jobs; }

void InstallSharedMemory() {
  previous_request = shmem_request_hook;
  shmem_request_hook = RequestSharedMemory;
  previous_startup = shmem_startup_hook;
  shmem_startup_hook = StartUpSharedMemory;
}

// LWLockAcquire can only fail when a process holds hundreds of locks; no error can pass through
// here.
Lock::Lock(LWLockMode mode) { LWLockAcquire(the_board->lock, mode); }
Lock::~Lock() { LWLockRelease(the_board->lock); }

void WakeProc(int proc) {
  if (proc != kNone) {
    SetLatch(&ProcGlobal->allProcs[proc].procLatch);
  }
}

bool IsFirstToNotice(const policy::Moment& now) {
  const Lock lock;
  const std::int64_t offset = now.wall - now.steady.micros;
  const bool is_news = std::abs(offset - TheBoard()->clock_offset) > policy::kLeastJump / 2;
  TheBoard()->clock_offset = offset;
  return is_news;
}

void Wake(const ProcessPlace& place) {
  if (place.IsThere()) {
    WakeProc(place.proc);
  }
}

void WakeLauncher() {
  if (the_board != nullptr) {
    Wake(the_board->launcher());
  }
}

}  // namespace ratchet::board
