#include "worker/commit_hint.h"

#include "pg/server.h"

namespace ratchet::worker {

void HintAtCommit(OneTransaction why) {
  if (why == OneTransaction::kNot || geterrcode() != ERRCODE_INVALID_TRANSACTION_TERMINATION) {
    return;
  }
  switch (why) {
    case OneTransaction::kNot:
      break;
    case OneTransaction::kStatements:
      errhint(
          "The statements of a command are one transaction, in which none can commit. Use the "
          "option transaction => 'per_statement'.");
      break;
    case OneTransaction::kDryRun:
      errhint(
          "A dry run is one transaction, which is rolled back: a command that commits cannot run "
          "dry.");
      break;
    case OneTransaction::kBatch:
      errhint(
          "A batch is one transaction, which commits at its end: what runs in it cannot. Use "
          "batch_size => 1 for a transaction per item.");
      break;
  }
}

}  // namespace ratchet::worker
