// Tasks of queues in shared memory, beside the board of runs and under a lock of its own:
//
//   databases   whose scheduler hands out tasks, and what it is to read again
//   stretches   runs of a queue that are under way, each with two buffers of tasks in hand
//   claims      one for each backend: what a consumer's session has asked for
//   queues      counters, for the views
//
// The tables are the truth: a scheduler that begins reads them, and what is lost here is only what
// it had not been told yet. Nothing here raises an error, waits or allocates under the lock, which
// may be taken under that of the board (board.h), never the other way round.
//
// This header is the layout; task_notices.h, stretch_board.h, claim_board.h and queue_counters.h
// are what to do with it.
#pragma once

#include "board/board.h"

extern "C" {
#include "storage/itemptr.h"
}

namespace ratchet::board {

// In one hand-out, and in one claim.
constexpr int kMostTasks = 500;

// ---- Notices -----------------------------------------------------------------------------------

// Rows of ratchet.task that a transaction which is over has written. There may be others of the
// queue between them, which it has not.
struct TaskNotice {
  enum Kind : std::uint32_t {
    kEnqueued,  // those that the scheduler knows already need not be read again
    kTouched,   // read again: changed, gone, or handed to somebody who has not taken them
  };
  Kind kind;
  std::int64_t queue_id;
  std::int64_t first;
  std::int64_t last;
};
constexpr int kTaskNotices = 256;

struct TaskDatabase {
  Oid database;  // InvalidOid: free
  int scheduler_proc;
  bool lost;        // there was no room: read everything
  bool has_claims;  // sessions may have asked for tasks
  bool judged;      // who was to blame for the crash of the server before this start is settled
  int notice_count;
  TaskNotice notices[kTaskNotices];
};

// ---- Stretches ---------------------------------------------------------------------------------

// What became of a task in the hands of a stretch, as it was committed.
enum class TaskEnd : std::uint8_t {
  kUnknown,  // not answered
  kDone,
  kGone,     // it was not there any more, or is in somebody else's hands
  kRetry,    // failed: waits until `at`
  kDead,     // failed for good, or discarded
  kSnoozed,  // waits until `at`
  kAgain,    // nothing has been done with it
};

struct HandedTask {
  std::int64_t task_id;
  TimestampTz at;       // of the answer
  ItemPointerData tid;  // where its row was when it was last read
  bool alone;           // was in a batch of several that died with its process
  TaskEnd end;
};

//              HandOut          TakeTasks         Answer           TakeAnswers
//   kEmpty ─────────────▶ kFilled ────────▶ kTaken ────────▶ kAnswered ───────────▶ kEmpty
//     ▲                     │ TakeBack
//     └─────────────────────┘
enum class BufferState : std::uint8_t { kEmpty, kFilled, kTaken, kAnswered };

struct TaskBuffer {
  BufferState state;
  int count;
  std::uint64_t number;  // of the hand-out: the lower one is taken first
  HandedTask tasks[kMostTasks];
};
constexpr int kTaskBuffers = 2;

//            OpenStretch         its process leaves it, or is gone         TakeLeft
//   kFree ─────────────▶ kOpen ────────────────────────────────▶ kLeft ──────────▶ kFree
enum class StretchState : std::uint8_t { kFree, kOpen, kLeft };

// How its process was gone without having closed it, as that said on its way out. Who gets that far
// has not crashed: then the server starts again, and nothing of this is left.
struct StretchDeath {
  enum Kind : std::uint8_t {
    kNone,
    kEnded,    // somebody has ended it, and none of its tasks is to blame
    kFailed,   // so did the culprit, which has failed by that
    kCrashed,  // the culprit has taken it down
    kUnknown,  // it was at no task, or at several: one of those in hand may be to blame
  };
  Kind kind;
  int sqlstate;
  std::int64_t culprit;
  char error[200];
};

struct StretchSlot {
  StretchState state;
  bool end;      // asks it to end behind the batch in hand
  bool waiting;  // it has nothing in hand, and its process sleeps
  StretchDeath death;
  Oid database;
  Oid incarnation;  // see RunTicket
  std::int64_t queue_id;
  std::int64_t run_id;
  int run;  // slot of the run
  int proc;
  pid_t pid;
  int wants;  // as many tasks as it takes to do a batch
  policy::SteadyTime waiting_since;
  std::uint64_t hand_outs;
  TaskBuffer buffers[kTaskBuffers];
};

// ---- Claims ------------------------------------------------------------------------------------

struct ClaimedTask {
  std::int64_t task_id;
  ItemPointerData tid;
};

//            Claim()             Grant                Take
//   kFree ─────────────▶ kAsked ────────▶ kGranted ──────────▶ kFree
//     ▲                    │                 │
//     └────────────────────┴─────────────────┘ ~Claim(), or its process is gone: what was granted
//                                              is read again
enum class ClaimState : std::uint8_t { kFree, kAsked, kGranted };

// By the place of its process in ProcGlobal->allProcs.
struct ClaimSlot {
  ClaimState state;
  pid_t pid;
  Oid database;
  Oid incarnation;
  std::int64_t queue_id;
  int most;
  int count;  // of ClaimedTasks()
  policy::SteadyTime since;
  bool at_once;  // it is to be told when there is nothing
};

// ---- Counters of a queue -----------------------------------------------------------------------

struct QueueCounters {
  std::int64_t ready;
  std::int64_t scheduled;
  std::int64_t blocked;
  std::int64_t running;
  std::int64_t dead;
  TimestampTz oldest_ready;  // since when it is; 0: none is ready
  // Since the scheduler began to count.
  std::int64_t enqueued;
  std::int64_t completed;
  std::int64_t failed;  // attempts
  TimestampTz counted_since;
  double enqueued_per_second;  // of the last minute or so
  double completed_per_second;
  char waits_for[kNameSize];  // why ready tasks are not handed out; empty: they are
};

struct QueueSlot {
  Oid database;  // InvalidOid: free
  std::int64_t queue_id;
  QueueCounters counters;
};

// ---- The whole ---------------------------------------------------------------------------------

struct TaskBoard {
  LWLock* lock;
  int databases;  // sizes of the arrays
  int stretches;
  int claims;
  int queues;
  int used_databases;  // end of the entries that were ever in use
  int used_queues;
};

static_assert(std::is_trivially_copyable_v<StretchSlot> && std::is_trivially_copyable_v<ClaimSlot>);

// Null in a server that did not preload the library.
TaskBoard* TheTaskBoard();

TaskDatabase* TaskDatabases();
StretchSlot* Stretches();
ClaimSlot* Claims();
// Of the claim in this slot: room for kMostTasks.
ClaimedTask* ClaimedTasks(int claim);
QueueSlot* Queues();

// For the board, which has the hooks: reserves the memory, and sets it up.
void RequestTaskMemory();
void StartUpTaskMemory();

class TaskLock {
 public:
  explicit TaskLock(LWLockMode mode = LW_EXCLUSIVE);
  TaskLock(const TaskLock&) = delete;
  TaskLock& operator=(const TaskLock&) = delete;
  ~TaskLock();
};

}  // namespace ratchet::board
