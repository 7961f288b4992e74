#include "worker/transaction_watch.h"

#include "pg/server.h"

namespace ratchet::worker {

// The server calls back before it puts settings back to what they were before the transaction, so
// that ours must be undone there and not after the commit.
void TransactionWatch::RestoreSynchronousCommit() {
  if (lowered_) {
    synchronous_commit = synchronous_commit_;
    lowered_ = false;
  }
}

bool TransactionWatch::HasWritten() const {
  return committed_writes_ || TransactionIdIsValid(GetTopTransactionIdIfAny());
}

void TransactionWatch::BeforeCommit() {
  has_xid_ = TransactionIdIsValid(GetTopTransactionIdIfAny());
  if ((MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0) {
    temporary_tables_ = true;
  }
  if (asynchronous_) {
    asynchronous_ = false;
    lowered_ = true;
    synchronous_commit_ = synchronous_commit;
    synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
  }
}

void TransactionWatch::Committed() {
  RestoreSynchronousCommit();
  committed_writes_ = committed_writes_ || has_xid_;
  has_xid_ = false;
}

void TransactionWatch::Aborted() {
  RestoreSynchronousCommit();
  asynchronous_ = false;
  has_xid_ = false;
}

}  // namespace ratchet::worker
