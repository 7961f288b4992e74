// Copies of runs, for who looks at them.
#pragma once

#include <optional>
#include <vector>

#include "board/board.h"

namespace ratchet::board {

struct LiveRun {
  int slot;
  RunState state;
  CancelReason cancel;
  bool terminated;
  RunTicket ticket;
  pid_t pid;
  TimestampTz started_at;  // as the wall clock counts now; 0: it has not
  std::int64_t progress_done;
  std::int64_t progress_remaining;
  bool walks;
  RunWait wait;
  pid_t in_the_way;
  RunCounters committed;
  std::int64_t walk_done;
  policy::RunStatus status;  // of an ended run
};
// These leave out what goes on of an extension that is gone.

// All of the database.
void ListRuns(Oid database, std::vector<LiveRun>* out);
// Those of one job.
void ListRunsOfJob(Oid database, std::int64_t job_id, std::vector<LiveRun>* out);
// One: the lock is held for a look at the numbers of the others.
std::optional<LiveRun> FindRun(Oid database, std::int64_t run_id);

}  // namespace ratchet::board
