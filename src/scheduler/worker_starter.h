// Registers worker processes with the postmaster, and looks after those that are starting.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"
#include "policy/steady_time.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace ratchet::scheduler {

class WorkerStarter {
 public:
  // Starts one more worker for the role's pool, if it may have one.
  enum class Result { kDone, kHasToWait, kRoleIsFull };
  Result Start(Oid database, Oid role, policy::SteadyTime now);

  // Ready work is left because all workers are busy; or nothing waits for one.
  void NoteWaitingWork(policy::SteadyTime now, bool waits);

  // Gives back the places of processes that ended before they took them.
  void Reap(policy::SteadyTime now);
  bool any_starting() const { return !starting_.empty(); }

 private:
  struct Starting {
    BackgroundWorkerHandle* handle;
    int worker;
    std::uint32_t generation;
  };
  void TellOnce(policy::SteadyTime now, bool processes);

  std::vector<Starting> starting_;
  policy::SteadyTime told_at_{};
  policy::SteadyTime short_since_{};
};

}  // namespace ratchet::scheduler
