// Which jobs shall run because a table has changed.
//
// A writer whose transaction has fired a change trigger says so here after its commit: an atomic
// instant per job, and no lock as long as a run is asked for already. Only the first change since
// the last run tells the scheduler, through the ring of its database. It queues one run, for the
// instant `due`, and many commits until then are collected in it.
//
// No change is lost. Let W be a writer, and R the run that is asked for when W looks:
//
//   W:  1. its commit becomes visible    2. reads `due`, finds it set, and leaves
//   S:  a. sets `due` to 0 (claims R)    b. shows R to a worker, which takes R's snapshot
//
// Between 1 and 2, and at a, is a full memory barrier. If 2 came before a, then 1 came before b: R
// sees what W wrote. If 2 came after a, W finds 0 and asks for another run. So `due` must be set
// back whenever the run that is asked for leaves the queue, before it is shown to a worker
// (Scheduler::EraseWaiting), and in no other place, but for a maker of triggers who may not ask for
// runs. A scheduler that fails or is replaced in
// between finds the run in its table, or `due` still set (Scheduler::LoadTableChanges). What the
// board forgets, it forgets together with the whole server, after whose start every job with a
// change trigger runs once (Scheduler::SweepChangeTriggers).
//
// Entries go with their job (Scheduler::ForgetTableChangesOfGone) or database. Who finds one that
// was removed and is used anew reads what is of another job, and asks for nothing, or adds one for
// a job that is gone, which the scheduler removes when it is told.
#pragma once

#include <vector>

#include "board/board.h"

namespace ratchet::board {

// After the commit. Without a board, in a server that did not preload the library, it does nothing.
// `change` is a kTableChange.
void AnnounceTableChange(Oid database, const Change& change);
// For the scheduler, which looks itself: false when there is no place for it.
bool AskForRunOnChange(Oid database, const Change& change);
// The run that was asked for leaves the queue.
void ClearTableChange(Oid database, std::int64_t job_id);
// Triggers of this maker may not ask for it: no run comes of what they have said.
void ClearTableChangeBy(Oid database, std::int64_t job_id, Oid made_by);
// Appends what is asked for: of one job, or of all those of the database (0).
void ListTableChanges(Oid database, std::int64_t job_id, std::vector<Change>* changes);
// The same, with those of which nothing is asked for.
void ListChangedJobs(Oid database, std::int64_t job_id, std::vector<Change>* jobs);
// The job is gone.
void ForgetChangedJob(Oid database, std::int64_t job_id, std::int64_t job_born);
// All of the database are.
void ForgetChangedJobs(Oid database);

}  // namespace ratchet::board
