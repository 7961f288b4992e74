// Live runs: how they take a place on the board, and how they leave it. state.h draws their states.
#pragma once

#include <vector>

#include "board/board.h"
#include "pg/last_words.h"

namespace ratchet::board {

// The run that keeps another one from starting.
struct RunInTheWay {
  std::int64_t run_id;
  pid_t pid;  // 0: it waits for a worker
  Oid owner;
  char job_name[sizeof(RunTicket::job_name)];
};

enum class ReserveResult { kReserved, kFull, kJobIsRunning, kMutexIsHeld };

// Takes a slot for a run that the scheduler is about to claim. kJobIsRunning: a foreground session
// runs the job, and the ticket is exclusive; kMutexIsHeld: a live run has the ticket's mutex;
// *blocking then says which.
ReserveResult Reserve(const RunTicket& ticket, int* slot, RunInTheWay* blocking);
void Unreserve(int slot);

// Puts a reserved run at the end of its pool's ready list and wakes an idle worker; one that was
// canceled since it was reserved ends. False when there is no room for another pool; the run stays
// reserved.
bool Publish(int slot);

// For a reserved run that cannot be published.
void EndReserved(int slot, const RunOutcome& outcome);

// Ready runs of the pool that were not taken, ended with the outcome: their pool has no worker.
void EndReadyOfPool(Oid database, Oid role, const RunOutcome& outcome);

// For a foreground session: registers the run as running in this process, unless another run of the
// job is live, or one that has the same mutex; *blocking then says which.
enum class ForegroundResult { kRunning, kFull, kJobIsRunning, kMutexIsHeld };
ForegroundResult BeginForeground(const RunTicket& ticket, int* slot, RunInTheWay* blocking);

// For a run whose process dies: its error is the last words of that.
void SetLastWords(RunOutcome* outcome, const pg::LastWords& words);

// The live run that has the mutex. False: it is free.
bool FindMutexHolder(Oid database, const char* mutex, RunInTheWay* holder);

// What a worker reads once it has taken the run (see worker_board.h: Take).
RunTicket TicketOf(int slot);

// The run is over: wakes the scheduler and the sessions that wait for it. Only the process that
// runs it may call this. Returns why it was canceled, if it was: an interrupt that is still pending
// is then meant for this run and must be dropped.
CancelReason End(int slot, const RunOutcome& outcome);

CancelReason CancelReasonOf(int slot);
// Who has asked it to stop; InvalidOid: nobody, or its timeout.
Oid CanceledBy(int slot);

void SetProgress(int slot, std::int64_t done, std::int64_t remaining);
// The same for a batch job, after each batch: what the run has committed, how many items of its
// walk are done, and how many may be left (-1: not known).
void SetCommitted(int slot, const RunCounters& committed, std::int64_t walk_done,
                  std::int64_t remaining);
// While the run's only_if is evaluated: when that is canceled; 0: it is not, or is over.
void SetConditionUntil(int slot, policy::AwakeTime until);
// The run is one of the walk that began with that run, whose checkpoint it has read or saved; 0: of
// none yet. What goes on with the run goes on with this walk.
void SetWalkBegan(int slot, std::int64_t run_id);
// The administrator's bound is the run's timeout.
void BoundTimeout(int slot, std::int64_t timeout);
void SetWait(int slot, RunWait wait);
// While a transaction of the run commits its process cannot obey a cancel, and is not ended for
// that: from EndCommit() on it has as long as ever.
void BeginCommit(int slot);
void EndCommit(int slot);
// Who has the lock for which it waits; 0: nobody, or not known.
void SetInTheWay(int slot, pid_t pid);
// The run is one of a batch job. For the run's own process.
bool IsWalk(int slot);

// Asks a live run to stop, in the name of the role `by`, unless somebody has done so already: a
// ready one ends at once as canceled, a reserved one when it would be published, a running one is
// interrupted. allowed(owner) is asked under the lock and must not raise an error.
enum class CancelResult { kCanceled, kNotLive, kNotAllowed };
CancelResult Cancel(Oid database, std::int64_t run_id, Oid by, bool (*allowed)(Oid owner));

// ---- For the scheduler -------------------------------------------------------------------------

// Slots of the runs of the database that ended since the last call, oldest first. They belong to
// the scheduler, which may read them without a lock, until Free. False when runs of another
// incarnation of the extension than that which the scheduler has found are there, too: it must look
// which one there is.
bool CollectEnded(DatabaseEntry* database, std::vector<int>* slots);
// The same for a new scheduler: also those that its predecessor had collected and not freed.
void CollectAllEnded(DatabaseEntry* database, std::vector<int>* slots);
void Free(const std::vector<int>& slots);

// Slots that a scheduler of the database reserved and left behind.
void FreeReserved(Oid database);

}  // namespace ratchet::board
