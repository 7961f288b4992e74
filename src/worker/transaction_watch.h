// What the transactions of a run did, seen from the server's transaction callbacks.
#pragma once

namespace ratchet::worker {

class TransactionWatch {
 public:
  TransactionWatch() = default;
  TransactionWatch(const TransactionWatch&) = delete;
  TransactionWatch& operator=(const TransactionWatch&) = delete;

  // Some transaction of the run wrote something: one that committed, or the one that is open.
  bool HasWritten() const;
  // One that committed.
  bool HasCommittedWrites() const { return committed_writes_; }
  // A transaction that committed used temporary tables.
  bool HasUsedTemporaryTables() const { return temporary_tables_; }

  // The next commit does not wait for its WAL to be flushed. The setting synchronous_commit is what
  // it was before the server undoes the transaction's own SET LOCAL.
  void CommitNextAsynchronously() { asynchronous_ = true; }

  // For the transaction callbacks.
  void BeforeCommit();
  // The transaction that is being committed writes.
  bool writes() const { return has_xid_; }
  void Committed();
  void Aborted();

 private:
  void RestoreSynchronousCommit();

  bool has_xid_ = false;  // of the transaction that is being committed
  bool committed_writes_ = false;
  bool temporary_tables_ = false;
  bool asynchronous_ = false;  // wanted for the next commit
  bool lowered_ = false;       // synchronous_commit was changed and must be put back
  int synchronous_commit_ = 0;
};

}  // namespace ratchet::worker
