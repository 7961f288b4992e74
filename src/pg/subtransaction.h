// A subtransaction that always ends: what is done in it is kept by Release, and undone otherwise.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace ratchet::pg {

class Subtransaction {
 public:
  // In a transaction. Throws PgError.
  Subtransaction();
  Subtransaction(const Subtransaction&) = delete;
  Subtransaction& operator=(const Subtransaction&) = delete;
  // Rolls back what was not released. An error in that is beyond help: FATAL.
  ~Subtransaction();

  void Release();
  // It has written something (before it is released).
  static bool HasWritten() { return TransactionIdIsValid(GetCurrentTransactionIdIfAny()); }

 private:
  MemoryContext memory_;
  ResourceOwner owner_;
  bool open_ = true;
};

}  // namespace ratchet::pg
