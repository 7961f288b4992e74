// Runs the text of a job at top level, as psql would: one statement alone may do what it likes
// (VACUUM, CREATE INDEX CONCURRENTLY, CALL with COMMIT), several are one transaction, or one each.
#pragma once

#include <cstdint>

#include "pg/statement_log.h"
#include "worker/commit_hint.h"
#include "worker/result_receiver.h"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace ratchet::worker {

class Execution {
 public:
  // The text must outlive the object; parse trees, plans and the result live in `memory`, which
  // must outlive every transaction of the run.
  Execution(const char* command, bool per_statement, bool dry_run, MemoryContext memory);

  // In a transaction that has done nothing yet. Returns in the one that the last statement left
  // open, in which all triggers were fired and all cursors closed: it only remains to be committed,
  // or to be aborted for a dry run. Throws PgError.
  void Run();

  // When that is done: writes to the server's log what there is to be written of how long the text
  // has taken.
  void LogEnd() const noexcept;

  std::int64_t rows_affected() const { return rows_affected_; }
  // First row of the last query with rows, as JSON; null when there was none.
  const char* result() const { return receiver_.first_row; }
  // The statement in hand, counted from 1, of statements(); 0 before the first one.
  int statement() const { return statement_; }
  int statements() const { return list_length(statements_); }
  // Why they cannot commit.
  OneTransaction why_one_transaction() const {
    return dry_run_                              ? OneTransaction::kDryRun
           : !per_statement_ && statements() > 1 ? OneTransaction::kStatements
                                                 : OneTransaction::kNot;
  }

 private:
  void Parse();
  void RunStatement(RawStmt* statement, bool is_last);
  void RunPortal(RawStmt* statement, List* plans);

  const char* command_;
  bool per_statement_;
  bool dry_run_;
  bool block_ = false;  // the statements are run in an implicit transaction block
  MemoryContext memory_;
  pg::StatementLog log_;
  List* statements_ = nullptr;
  int statement_ = 0;
  std::int64_t rows_affected_ = 0;
  ResultReceiver receiver_{};
};

// The least log_statement that has the text of these: of those of several that of the first one it
// is for. For use inside pg::Call.
int LogLevelOf(const List* statements);

// The server enforces statement_timeout for the queries of clients only. For use inside pg::Call.
void StartStatementTimer();
void StopStatementTimer();

// Runs what a commit would run first: deferred triggers, and queries of cursors WITH HOLD. After it
// nothing but the record and the commit are left. For use inside pg::Call, at top level.
void FireDeferredTriggers();

}  // namespace ratchet::worker
