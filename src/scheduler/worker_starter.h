// Registers worker processes with the postmaster, and looks after those that are starting.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"
#include "policy/steady_time.h"
#include "process/start.h"

namespace ratchet::scheduler {

class WorkerStarter {
 public:
  // Starts one more worker for the role's pool, if it may have one.
  // kPaused: none can connect, see NoteStuckStart.
  enum class Result { kDone, kHasToWait, kRoleIsFull, kPaused };
  Result Start(Oid database, Oid role, policy::SteadyTime now);

  // Ready work is left because all workers are busy; or nothing waits for one.
  void NoteWaitingWork(policy::SteadyTime now, bool waits);

  // A worker has given up connecting, because somebody has locked what that needs. From now on
  // there is one try at a time, and a longer pause after each, until one is not given up: the
  // workers of other databases are not to wait for the places that this one's would keep.
  void NoteStuckStart(policy::SteadyTime now);
  bool is_stuck() const { return next_try_.IsSet(); }
  // Of one that is stuck.
  policy::SteadyTime next_look() const { return try_ends_.IsSet() ? try_ends_ : next_try_; }

  // Gives back the places of processes that ended before they took them.
  void Reap(policy::SteadyTime now);
  bool any_starting() const { return !starting_.empty(); }

 private:
  struct Starting {
    process::Started process;
    int worker;
    std::uint32_t generation;
  };
  // What is missing.
  enum class Shortage { kWorkers, kProcesses, kTurn };
  void TellOnce(policy::SteadyTime now, Shortage of);
  bool IsPaused(policy::SteadyTime now);

  std::vector<Starting> starting_;
  policy::SteadyTime told_at_{};
  policy::SteadyTime short_since_{};
  policy::SteadyTime next_try_{};  // not set: workers connect
  policy::SteadyTime try_ends_{};  // of the one under way
  std::int64_t pause_ = 0;
};

}  // namespace ratchet::scheduler
