#include "worker/foreground_statements.h"

#include "pg/guard.h"
#include "pg/subtransaction.h"
#include "worker/command_check.h"
#include "worker/execute.h"
#include "worker/result_receiver.h"

extern "C" {
#include "executor/spi.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/timeout.h"
}

namespace ratchet::worker {
namespace {

void RefuseTopLevel(Node* statement) {
  if (NeedsTopLevel(statement)) {
    ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                    errmsg("%s cannot run in the foreground",
                           GetCommandTagName(CreateCommandTag(statement))),
                    errdetail("It cannot run inside of a procedure call."),
                    errhint("Use ratchet.trigger(), and CALL ratchet.wait_for() to wait for it.")));
  }
}

}  // namespace

ForegroundStatements::ForegroundStatements(const std::string& command, bool per_statement,
                                           bool dry_run)
    : command_(command), per_statement_(per_statement && !dry_run), dry_run_(dry_run) {
  Parse(per_statement);
}

void ForegroundStatements::Parse(bool per_statement) {
  pg::Call([this, per_statement] {
    MemoryContext parsing =
        AllocSetContextCreate(CurrentMemoryContext, "ratchet foreground", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(parsing);
    List* parsed = pg_parse_query(command_.c_str());
    CheckStatements(parsed, per_statement);
    log_level_ = LogLevelOf(parsed);
    const bool alone = list_length(parsed) == 1 || per_statement_;
    ListCell* cell;
    foreach (cell, parsed) {
      const RawStmt* raw = lfirst_node(RawStmt, cell);
      RefuseTopLevel(raw->stmt);
      const bool commits = IsA(raw->stmt, CallStmt) || IsA(raw->stmt, DoStmt);
      statements_.push_back(
          {static_cast<std::size_t>(raw->stmt_location),
           raw->stmt_len > 0 ? static_cast<std::size_t>(raw->stmt_len) : std::string::npos,
           alone && commits && !dry_run_});
    }
    MemoryContextSwitchTo(old);
    MemoryContextDelete(parsing);
  });
}

void ForegroundStatements::Run() {
  pg::StatementLog log({command_.c_str(), log_level_});
  pg::Call([&log] { log.Begin(); });
  if (dry_run_) {
    RunAndRollBack();
  } else {
    RunAll();
  }
  pg::Call([&log] { log.End(); });
}

void ForegroundStatements::RunAll() {
  for (const Statement& statement : statements_) {
    statement_++;
    RunOne(statement);
    if (per_statement_ && statement_ < statements()) {
      pg::Call([] { SPI_commit(); });
    }
  }
}

void ForegroundStatements::RunAndRollBack() {
  const pg::Subtransaction rolled_back;
  RunAll();
  // A commit would check the deferred constraints.
  pg::Call([] { SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0); });
}

void ForegroundStatements::RunOne(const Statement& statement) {
  const std::string text = command_.substr(statement.start, statement.length);
  pg::Call([&] {
    // The server arms the timer for the caller's statement, before it knows of the job's settings.
    const bool timed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);
    if (timed) {
      enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
    }
    ResultReceiver receiver{};
    // SPI's memory belongs to the caller's portal and survives a commit.
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "ratchet foreground", ALLOCSET_SMALL_SIZES);
    InitResultReceiver(&receiver, memory);
    SPIExecuteOptions options{};
    options.allow_nonatomic = statement.may_commit;
    options.dest = &receiver.receiver;
    const int code = SPI_execute_extended(text.c_str(), &options);
    if (code < 0) {
      elog(ERROR, "SPI_execute_extended failed: %s", SPI_result_code_string(code));
    }
    rows_affected_ += static_cast<std::int64_t>(SPI_processed);
    if (receiver.first_row != nullptr) {
      result_ = receiver.first_row;
    }
    MemoryContextDelete(memory);
    if (timed) {
      disable_timeout(STATEMENT_TIMEOUT, false);
    }
  });
}

}  // namespace ratchet::worker
