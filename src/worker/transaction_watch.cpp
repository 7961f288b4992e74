#include "worker/transaction_watch.h"

#include "pg/server.h"
#include "worker/job_lock.h"
#include "worker/own_changes.h"

namespace ratchet::worker {
namespace {

struct Watch {
  bool has_xid;  // of the transaction that is being committed
  bool committed_writes;
  bool temporary_tables;
  bool asynchronous;  // wanted for the next commit
  bool lowered;       // synchronous_commit was changed and must be put back
  int synchronous_commit;
};
Watch watch{};

void RestoreSynchronousCommit() {
  if (watch.lowered) {
    synchronous_commit = watch.synchronous_commit;
    watch.lowered = false;
  }
}

void BeforeCommit() {
  watch.has_xid = TransactionIdIsValid(GetTopTransactionIdIfAny());
  if ((MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0) {
    watch.temporary_tables = true;
  }
  if (watch.has_xid) {
    NoteNewFilesBeforeCommit();
  }
  KeepJobLockAtCommit();
  if (watch.asynchronous) {
    watch.asynchronous = false;
    watch.lowered = true;
    watch.synchronous_commit = synchronous_commit;
    synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
  }
}

// The server calls back before it puts settings back to what they were before the transaction, so
// that ours must be undone here and not after the commit.
void AtTransactionEvent(XactEvent event, void* /*argument*/) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
      BeforeCommit();
      break;
    case XACT_EVENT_COMMIT:
      RestoreSynchronousCommit();
      watch.committed_writes = watch.committed_writes || watch.has_xid;
      watch.has_xid = false;
      NoteNewFilesAtCommit();
      break;
    case XACT_EVENT_ABORT:
      RestoreSynchronousCommit();
      ForgetNewFilesAtAbort();
      watch.asynchronous = false;
      watch.has_xid = false;
      KeepJobLockAtAbort();
      break;
    default:
      break;
  }
}

}  // namespace

void InstallTransactionWatch() {
  static bool installed = false;
  if (!installed) {
    RegisterXactCallback(AtTransactionEvent, nullptr);
    installed = true;
  }
}

void BeginTransactionWatch() { watch = Watch{}; }

bool HasWritten() {
  return watch.committed_writes || TransactionIdIsValid(GetTopTransactionIdIfAny());
}

bool HasCommittedWrites() { return watch.committed_writes; }

bool HasUsedTemporaryTables() { return watch.temporary_tables; }

void CommitNextAsynchronously() { watch.asynchronous = true; }

}  // namespace ratchet::worker
