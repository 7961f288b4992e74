#include "pg/transaction.h"

extern "C" {
#include "pgstat.h"
}

namespace ratchet::pg {

Transaction::Transaction() {
  Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
  });
}

Transaction::~Transaction() {
  if (open_) {
    AbortOpenTransaction();
  }
}

void Transaction::Commit(Durability durability) {
  const int session_level = synchronous_commit;
  try {
    Call([durability] {
      if (durability == Durability::kAsynchronous) {
        synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
      }
      CommitTransactionCommand();
    });
  } catch (...) {
    synchronous_commit = session_level;
    throw;
  }
  synchronous_commit = session_level;
  open_ = false;
}

void AbortOpenTransaction() noexcept {
  try {
    Call([] { AbortCurrentTransaction(); });
  } catch (const PgError& error) {
    // The transaction's state is unknown: this process cannot go on, the others can.
    ereport(FATAL, (errmsg("could not abort transaction: %s", error.what())));
  }
}

}  // namespace ratchet::pg
