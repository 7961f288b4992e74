// Top-level transactions of our own processes.
#pragma once

#include "pg/guard.h"

namespace ratchet::pg {

enum class Durability {
  kSynchronous,   // as the session's synchronous_commit says
  kAsynchronous,  // returns before the WAL is flushed: for what a crash may take back
};

// Begins a transaction; one that was not committed is aborted by the destructor. Not for use inside
// a transaction, that is in SQL-callable functions.
class Transaction {
 public:
  Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  void Commit(Durability durability = Durability::kSynchronous);

 private:
  bool open_ = true;
};

// Aborts whatever transaction is open. Never throws: what fails in an abort is FATAL.
void AbortOpenTransaction() noexcept;

}  // namespace ratchet::pg
