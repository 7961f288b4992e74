// A run that waits for one of the extension's tables, in plain sight: ratchet.running says so, and
// after a second who is in the way, who is dealt with (catalog/lock_blockers.h).
#pragma once

#include <initializer_list>

#include "catalog/lock_blockers.h"

namespace ratchet::catalog {

class TableWait {
 public:
  explicit TableWait(int run_slot) : slot_(run_slot) {}
  TableWait(const TableWait&) = delete;
  TableWait& operator=(const TableWait&) = delete;
  ~TableWait();

  // One of these could not be locked just now. In a transaction.
  void Blocked(std::initializer_list<const char*> tables, LOCKMODE mode);
  // All of them could.
  void Over() { since_ = policy::kNoSteadyTime; }

 private:
  int slot_;
  policy::SteadyTime since_{};
  policy::SteadyTime looked_at_{};
  LockBlockers blockers_;
};

}  // namespace ratchet::catalog
