// No lock time-outs while a batch is written down and committed.
#pragma once

#include "pg/server.h"

extern "C" {
#include "storage/proc.h"
}

namespace ratchet::worker {

// A lock time-out is a cancel that the process sends to itself. Where nothing can be canceled it
// would be of no use, and be delivered later, to somebody whom it does not concern: the next batch,
// or the pause. What a batch writes of its own it has locked before (batch::Walk::HoldForSave);
// what is left to wait for is short, such as the extension of a file.
class QuietLocks {
 public:
  QuietLocks() = default;
  QuietLocks(const QuietLocks&) = delete;
  QuietLocks& operator=(const QuietLocks&) = delete;
  ~QuietLocks() { End(); }

  void Begin() {
    if (!quiet_) {
      lock_timeout_ = LockTimeout;
      LockTimeout = 0;
      quiet_ = true;
    }
  }
  // No harm when it has not begun.
  void End() {
    if (quiet_) {
      LockTimeout = lock_timeout_;
      quiet_ = false;
    }
  }

 private:
  bool quiet_ = false;
  int lock_timeout_ = 0;
};

}  // namespace ratchet::worker
