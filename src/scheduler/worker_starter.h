// Registers worker processes with the postmaster, and looks after those that are starting.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace ratchet::scheduler {

class WorkerStarter {
 public:
  // Starts one more worker for the role's pool if it may have one. False when it has to wait.
  bool Start(Oid database, Oid role, TimestampTz now);

  // Ready work is left because all workers are busy; or nothing waits for one.
  void NoteWaitingWork(TimestampTz now, bool waits);

  // Gives back the places of processes that ended before they took them.
  void Reap(TimestampTz now);
  bool any_starting() const { return !starting_.empty(); }

 private:
  struct Starting {
    BackgroundWorkerHandle* handle;
    int worker;
    std::uint32_t generation;
  };
  void TellOnce(TimestampTz now, bool processes);

  std::vector<Starting> starting_;
  TimestampTz told_at_ = 0;
  TimestampTz short_since_ = 0;
};

}  // namespace ratchet::scheduler
