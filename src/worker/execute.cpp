#include "worker/execute.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "worker/command_check.h"

#include <algorithm>

extern "C" {
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
}

namespace ratchet::worker {
namespace {

void BeginNextTransaction() {
  CommitTransactionCommand();
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
}

List* Plan(RawStmt* statement, const char* command) {
  bool snapshot_set = false;
  if (analyze_requires_snapshot(statement)) {
    PushActiveSnapshot(GetTransactionSnapshot());
    snapshot_set = true;
  }
  List* queries = pg_analyze_and_rewrite_fixedparams(statement, command, nullptr, 0, nullptr);
  List* plans = pg_plan_queries(queries, command, CURSOR_OPT_PARALLEL_OK, nullptr);
  if (snapshot_set) {
    PopActiveSnapshot();
  }
  CHECK_FOR_INTERRUPTS();
  return plans;
}

}  // namespace

int LogLevelOf(const List* statements) {
  int level = LOGSTMT_ALL;
  ListCell* cell;
  foreach (cell, statements) {
    level = std::min<int>(level, GetCommandLogLevel(static_cast<Node*>(lfirst(cell))));
  }
  return level;
}

void StartStatementTimer() {
  if (StatementTimeout > 0) {
    enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
  }
}

void StopStatementTimer() {
  if (get_timeout_active(STATEMENT_TIMEOUT)) {
    disable_timeout(STATEMENT_TIMEOUT, true);
  }
}

void FireDeferredTriggers() {
  do {
    AfterTriggerFireDeferred();
  } while (PreCommit_Portals(false));
}

Execution::Execution(const char* command, bool per_statement, bool dry_run, MemoryContext memory)
    : command_(command),
      per_statement_(per_statement),
      dry_run_(dry_run),
      memory_(memory),
      log_({command, LOGSTMT_ALL}) {
  InitResultReceiver(&receiver_, memory);
}

void Execution::Run() {
  pg::Call([this] {
    MemoryContext old = MemoryContextSwitchTo(memory_);
    statements_ = pg_parse_query(command_);
    CheckStatements(statements_, per_statement_);
    log_ = pg::StatementLog({command_, LogLevelOf(statements_)});
    log_.Begin();
    MemoryContextSwitchTo(old);
  });
  // In the block, what cannot be rolled back is refused by the server.
  block_ = dry_run_ || (statements() > 1 && !per_statement_);
  for (statement_ = 1; statement_ <= statements(); statement_++) {
    pg::Call([this] {
      const bool is_last = statement_ == list_length(statements_);
      RunStatement(static_cast<RawStmt*>(list_nth(statements_, statement_ - 1)), is_last);
    });
  }
  statement_ = statements();
  pg::Call([this] {
    if (block_) {
      EndImplicitTransactionBlock();
    }
    FireDeferredTriggers();
    StopStatementTimer();
  });
}

void Execution::LogEnd() const noexcept {
  try {
    pg::Call([this] { log_.End(); });
  } catch (const pg::PgError&) {
    // What the run has done is committed and recorded; there is no transaction to abort.
  }
}

// The shape of exec_simple_query() of the server.
void Execution::RunStatement(RawStmt* statement, bool is_last) {
  pgstat_report_query_id(0, true);
  if (block_) {
    BeginImplicitTransactionBlock();
  }
  CHECK_FOR_INTERRUPTS();
  StartStatementTimer();

  // Parse trees and plans must survive a COMMIT of the statement.
  MemoryContext trees = memory_;
  if (!is_last) {
    trees = AllocSetContextCreate(memory_, "ratchet statement", ALLOCSET_DEFAULT_SIZES);
  }
  MemoryContext transaction = MemoryContextSwitchTo(trees);
  List* plans = Plan(statement, command_);
  MemoryContextSwitchTo(transaction);
  RunPortal(statement, plans);

  if (is_last) {
    return;
  }
  if (per_statement_ && !dry_run_) {
    BeginNextTransaction();
  } else {
    CommandCounterIncrement();
  }
  StopStatementTimer();
  MemoryContextDelete(trees);
}

void Execution::RunPortal(RawStmt* statement, List* plans) {
  const CommandTag tag = CreateCommandTag(statement->stmt);
  Portal portal = CreatePortal("", true, true);
  portal->visible = false;
  PortalDefineQuery(portal, nullptr, command_, tag, plans, nullptr);
  PortalStart(portal, nullptr, 0, InvalidSnapshot);
  QueryCompletion completion;
  InitializeQueryCompletion(&completion);
  pg::RunPortalOnce(portal, &receiver_.receiver, &completion);
  PortalDrop(portal, false);
  if (command_tag_display_rowcount(completion.commandTag)) {
    rows_affected_ += static_cast<std::int64_t>(completion.nprocessed);
  }
}

}  // namespace ratchet::worker
