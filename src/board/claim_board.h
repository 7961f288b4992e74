// Claims: how a consumer's session gets tasks from the scheduler.
//
// task_board.h draws the states. Whatever way a session leaves, what it was granted and has not
// taken is given back, as TaskNotice::kTouched. In the same way it names what it has taken at the
// end of its transaction, committed or not: then the scheduler finds in the row whose task it is.
#pragma once

#include <span>
#include <vector>

#include "board/task_board.h"

namespace ratchet::board {

// ---- For the session ---------------------------------------------------------------------------

// The claim of this process, which has one at a time.
class Claim {
 public:
  // Asks for up to `most` tasks of the queue, and wakes the scheduler. There is a board. at_once:
  // it is granted none when there are none, instead of when there are some.
  Claim(Oid incarnation, std::int64_t queue_id, int most, bool at_once);
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  // Gives back what was granted and not taken.
  ~Claim();

  // True when it was granted, with what there was: *tasks, which has room for kMostTasks
  // beforehand, gets it, and it is the caller's. False: the latch of the process is set when it is.
  bool Take(std::vector<ClaimedTask>* tasks);
};

// ---- For the scheduler -------------------------------------------------------------------------

struct ClaimRequest {
  int claim;
  pid_t pid;
  std::int64_t queue_id;
  int most;
  policy::SteadyTime since;  // who has asked first is served first
  bool at_once;
};
// What is asked for now, in the order in which it was.
void ListClaims(Oid database, Oid incarnation, std::vector<ClaimRequest>* asked);
// False when it is not asked for any more: the tasks are still the scheduler's. At least one, but
// for a request that is to be answered at once, and at most as many as were asked for.
bool Grant(const ClaimRequest& request, std::span<const ClaimedTask> tasks);
// Tasks that were granted by a scheduler before this one, and have not been taken yet.
void ListGranted(Oid database, Oid incarnation, std::vector<ClaimedTask>* tasks);

}  // namespace ratchet::board
