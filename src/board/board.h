// The board: what is live, in shared memory. Three lists under one lock:
//
//   databases   where there are jobs, who schedules them, what changed since he looked
//   workers     the pool's processes: free, starting, idle, busy, leaving
//   runs        claimed runs: ready, running, ended; and the runs of foreground sessions
//
// The tables are the truth and the board is the present: after a crash the board is empty, and the
// scheduler rebuilds what matters from the tables. Every function here takes and releases the lock
// by itself, holds it for a few loads and stores, and cannot raise an error while it holds it.
//
// This header is the layout; database_board.h, process_board.h, worker_board.h, run_board.h and
// message_board.h are what to do with it.
#pragma once

#include "pg/server.h"

extern "C" {
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
}

#include <cstdint>
#include <type_traits>

#include "board/process_kind.h"
#include "policy/clock_watch.h"
#include "policy/data_directory.h"
#include "policy/run.h"
#include "policy/run_identity.h"
#include "policy/steady_time.h"
#include "policy/watch.h"

namespace ratchet::board {

constexpr int kNone = -1;

// ---- Processes that are one for the server or one for a database ------------------------------

// Zero: nobody is there.
struct ProcessPlace {
  pid_t pid;
  int proc;
  bool leave;  // it is asked to leave

  bool IsThere() const { return pid != 0; }
};

// One of each kind. Those of kinds that have their places elsewhere are never taken.
struct ProcessPlaces {
  ProcessPlace by_kind[kProcessKindCount];

  ProcessPlace& operator[](ProcessKind kind) { return by_kind[static_cast<int>(kind)]; }
  const ProcessPlace& operator[](ProcessKind kind) const { return by_kind[static_cast<int>(kind)]; }
  int CountThere() const;
};

// ---- Databases -------------------------------------------------------------------------------

// What a transaction that committed has touched, for the scheduler of its database.
struct Change {
  enum Kind : std::uint32_t { kJob, kRun, kEverything, kStatReset, kTableChange, kMessages };
  Kind kind;
  std::int64_t id;
  // kTableChange: the job with this id that was made at `job_born` shall run by `due`, asked for by
  // a trigger that this role has made.
  std::int64_t job_born = 0;
  Oid made_by = InvalidOid;
  policy::SteadyTime due{};
};
constexpr int kChangeRingSize = 256;

enum class DatabaseState : std::uint8_t {
  kUnknown,   // to be looked at: a scheduler must start to see whether the extension is there
  kStarting,  // the launcher has asked for a scheduler
  kActive,    // a scheduler is at work
  kResting,   // no scheduler: none is needed before rest_until
  kAbsent,    // no extension there (any more)
};

// See number_board.h.
enum class NumberKind : std::uint8_t { kRun, kJob };
constexpr int kNumberKinds = 2;

struct HighestNumber {
  Oid sequence;  // InvalidOid: nothing is known
  std::int64_t number;
};

struct DatabaseEntry {
  Oid database;  // InvalidOid: the entry is free
  DatabaseState state;
  // The extension as its scheduler has found it, see RunTicket; InvalidOid: not known.
  Oid incarnation;
  bool quarantined;   // a copy of another database: starts nothing
  policy::Copy copy;  // of another server, which is why it is quarantined
  bool misfit;        // extension or tables do not fit, or are not in safe hands: starts nothing
  bool changes_lost;  // the ring was full: read everything
  bool waits_for_worker;
  bool only_held;         // the entry is there for a Hold alone
  bool changes_swept;     // what changed while nobody could say so has been asked for
  bool prepared_changes;  // a prepared transaction may have changed a table with a change trigger
  int holds;              // sessions that do something for which nobody may be connected
  pid_t holder_pid;       // the latest of them
  ProcessPlaces processes;
  policy::SteadyTime rest_until;
  policy::SteadyTime active_since;
  // Until then the end of a run does not wake the scheduler as long as the workers of its pool have
  // more to do: it will look by itself. 0: it wakes it.
  policy::SteadyTime looks_again_at;
  policy::ClockWatch clock;   // written by the scheduler alone
  bool starts;                // its scheduler has not seen that ratchet.enabled is off
  std::int64_t jobs;          // for ratchet.status(), and so are
  std::int64_t problems;      // jobs whose schedule cannot be read
  std::int64_t failing_jobs;  // since their last success
  // What was not written by the library (catalog/seal.h): jobs, and these with runs and backfills.
  std::int64_t quarantined_jobs;
  std::int64_t quarantined_rows;
  HighestNumber numbers[kNumberKinds];
  // Passes of its scheduler fail since then, for this reason; 0: the last one did not.
  TimestampTz failing_since;
  char failure[256];
  // Ready work has waited for a worker since then; not set: none does.
  policy::SteadyTime work_waits_since;
  int change_count;
  int first_ended;  // list of ended runs through RunSlot.next
  Change changes[kChangeRingSize];

  ProcessPlace& scheduler() { return processes[ProcessKind::kScheduler]; }
  const ProcessPlace& scheduler() const { return processes[ProcessKind::kScheduler]; }
};

// A job of which a change trigger has told since the server started: see change_board.h. Those
// before `used` are written once, and before it. Triggers of different makers have an entry each.
struct ChangedJob {
  Oid database;
  Oid made_by;
  std::int64_t job_id;
  std::int64_t job_born;
  pg_atomic_uint32 used;
  pg_atomic_uint64
      due;  // when its run is to start, in microseconds of SteadyTime; 0: nothing has changed
};
constexpr int kChangedJobs = 4096;

// ---- Workers ---------------------------------------------------------------------------------

enum class WorkerState : std::uint8_t { kFree, kStarting, kIdle, kWoken, kBusy, kLeaving };

struct WorkerSlot {
  WorkerState state;
  Oid database;
  Oid role;
  int pool;
  int proc;
  pid_t pid;
  pid_t starter;  // the scheduler that has asked for the process
  std::uint32_t generation;
  int run;                        // the run in hand, or kNone
  policy::SteadyTime since;       // of the state
  policy::SteadyTime turn_since;  // of its first run since it was last idle
};

// Runs and workers of one role in one database.
struct Pool {
  Oid database;  // InvalidOid: free
  Oid role;
  int first_ready;
  int last_ready;
  int ready;
  int workers;
  int role_workers;  // of its role in all databases: the same in each of the role's pools
  int idle;
  // Has ready runs and asked for a worker in vain; not set: does not wait.
  policy::SteadyTime waiting_since;
  policy::SteadyTime asked_at;
  // Has more to do than its workers can, and its role has all those that it may have: since then,
  // as was last said at held_at. It keeps nobody else from a worker.
  policy::SteadyTime held_since;
  policy::SteadyTime held_at;
  int failed_starts;  // workers that died before their first run since the scheduler last looked
  int sqlstate;
  char last_words[256];
};
constexpr int kPools = 1024;

// ---- Runs ------------------------------------------------------------------------------------

enum class RunState : std::uint8_t {
  kFree,
  kReserved,  // filled by the scheduler, not claimed yet
  kReady,     // waits for a worker
  kRunning,
  kEnded,  // waits for the scheduler
};

// What a batch job waits for between two batches.
enum class RunWait : std::uint8_t { kNothing, kPause, kReplication, kLock, kWriters };

enum class CancelReason : std::uint8_t { kNotCanceled, kCanceled, kTimedOut };

// Names of jobs and of mutexes are at most this long, with a zero byte behind; in the key of a
// mutex there is the number of a role before it.
constexpr int kNameSize = 256;

// What a run is and what holds for it, fixed when it is claimed.
struct RunTicket : policy::RunIdentity {
  Oid database;
  // Of the extension: the OID of ratchet.job, which DROP and CREATE EXTENSION change, and with it
  // what numbers mean. InvalidOid: the extension to which the run belongs is gone.
  Oid incarnation;
  bool foreground;
  bool exclusive;         // no other run of the job at the same time (overlap is not "allow")
  std::int64_t timeout;   // microseconds, 0: none
  bool is_bound;          // the timeout is that of ratchet.max_run_time
  TimestampTz closes_at;  // end of its active window, for runs that can stop in between; 0: none
  bool watches;           // tables: what it changes in them is to be counted
  char job_name[kNameSize];
  char mutex[kNameSize + 16];  // its key, see catalog/mutex_owner.h; empty: none
};

// What it cost and gave.
struct RunCounters {
  std::int64_t items_done;
  std::int64_t items_failed;
  std::int64_t batches;
  std::int64_t rows_affected;
  std::int64_t wal_bytes;
  std::int64_t blocks_read;
  std::int64_t blocks_hit;
  std::int64_t cpu_time;  // microseconds
};

constexpr int kErrorTextSize = 4096;

// How it ended. One that was not needed is kSkipped, and has a record only if somebody asked for it
// (worker/condition.h). The texts are for runs whose process cannot write the record itself:
// message, detail, hint and context, each ended by a zero byte, cut to fit.
struct RunOutcome {
  policy::RunStatus status;
  bool recorded;          // the record is in ratchet.run_log
  bool condition_failed;  // its only_if, and nothing of the run has begun
  int sqlstate;
  TimestampTz finished_at;
  RunCounters counters;
  policy::OwnChanges own;  // in the tables that its job watches
  char text[kErrorTextSize];
};

// The last of what a run says, one message behind the other: see message_board.h.
struct LastMessages {
  std::uint32_t changes;  // odd while it is being changed
  std::uint32_t used;
  std::int64_t before;  // messages that have made room
  char bytes[1024];
};

struct RunSlot {
  RunState state;
  CancelReason cancel;
  Oid canceled_by;  // who has called ratchet.cancel(); InvalidOid: nobody
  bool terminated;  // cancel was ignored for too long
  int next;         // in the list of ready or ended runs
  int worker;       // slot of the worker, or kNone
  int proc;
  pid_t pid;
  TimestampTz started_at;        // as the wall clock said then
  policy::SteadyTime begun;      // at the same moment
  policy::AwakeTime time_since;  // at the same moment: its time-out counts from here
  policy::SteadyTime ended;      // its process is free again: its last commit is over
  policy::AwakeTime cancel_at;
  policy::AwakeTime condition_until;  // while its only_if is evaluated; not set: no limit
  bool condition_canceled;            // the scheduler has done so
  bool commits;  // its process is committing, perhaps waits for a standby, and cannot obey
  bool walks;    // a batch job: the next three are known
  RunWait wait;
  pid_t in_the_way;        // waits for a lock that this process holds, or waits for; 0: not known
  RunCounters committed;   // of a batch job: items and batches so far
  std::int64_t walk_done;  // items of its walk that are done, those of earlier runs included
  std::int64_t progress_done;
  std::int64_t progress_remaining;  // -1: not reported
  LastMessages messages;
  RunTicket ticket;
  RunOutcome outcome;
};

// ---- The whole ---------------------------------------------------------------------------------

struct Board {
  LWLock* lock;
  ProcessPlaces processes;
  policy::SteadyTime launcher_gone;  // since then there is none; not set: since the server started
  bool rescan_databases;             // for the launcher: databases were created
  std::uint32_t
      session_epoch;          // grows with ALTER ROLE/DATABASE ... SET: older sessions are replaced
  std::uint32_t zones_epoch;  // grows when time zones change: workers that are older are replaced
  TimestampTz server_start;
  policy::Copy copy;     // what the data directory was when it was last found to be a copy
  std::int64_t copy_id;  // of then; 0: never
  policy::SteadyTime processes_short_at;  // a process could not be registered
  std::int64_t clock_offset;  // of the wall clock from the steady one, as the log has been told
  int active_foreground;      // running runs of foreground sessions
  int run_waiters;            // sessions in ratchet.wait()
  ConditionVariable run_ended;
  int databases;  // sizes of the arrays
  int workers;
  int runs;
  int free_run;  // list of free run slots through RunSlot.next
  int pools;     // end of the entries of the table of pools that were ever in use
  bool changed_jobs_full;

  const ProcessPlace& launcher() const { return processes[ProcessKind::kLauncher]; }
};

static_assert(std::is_trivially_copyable_v<RunSlot>);
static_assert(std::is_trivially_copyable_v<Pool> && std::is_trivially_copyable_v<WorkerSlot>);
static_assert(std::is_trivially_copyable_v<DatabaseEntry>);

// What is said in a server that did not preload the library.
inline constexpr char kNotLoaded[] = "pg_ratchet is not loaded by the server";
inline constexpr char kNotLoadedHint[] =
    "Add pg_ratchet to shared_preload_libraries and restart the server.";

// Null in a server that did not preload the library.
Board* TheBoard();
// Raises 55000 with a hint when there is no board.
Board& RequireBoard();

DatabaseEntry* Databases();
WorkerSlot* Workers();
Pool* Pools();
RunSlot* Runs();
ChangedJob* ChangedJobs();

// Installs the hooks that reserve and set up the segment. Called by _PG_init while preloading.
void InstallSharedMemory();

// Held while the lists are read or changed.
class Lock {
 public:
  explicit Lock(LWLockMode mode = LW_EXCLUSIVE);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock();
};

// Wakes the process, if it is there.
void WakeProc(int proc);
void Wake(const ProcessPlace& place);
void WakeLauncher();

// Of the processes that notice that the clock was set, the first one tells the log.
bool IsFirstToNotice(const policy::Moment& now);

}  // namespace ratchet::board
