// Locks, and what else a look at a table holds, for the life of an object instead of that of the
// transaction. A subtransaction that is rolled back would do the same, but ends a wait for a
// condition variable that the caller has prepared, so that its next sleep returns at once.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/resowner.h"
}

namespace ratchet::pg {

class PassingLocks {
 public:
  // In a transaction.
  PassingLocks();
  PassingLocks(const PassingLocks&) = delete;
  PassingLocks& operator=(const PassingLocks&) = delete;
  ~PassingLocks();

 private:
  ResourceOwner outer_;
  ResourceOwner own_;
};

}  // namespace ratchet::pg
