#include "worker/command_check.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "commands/defrem.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
}

namespace ratchet::worker {
namespace {

const char* CommandName(Node* statement) { return GetCommandTagName(CreateCommandTag(statement)); }

void RefuseTransactionControl(Node* statement, bool alone) {
  ereport(
      ERROR,
      (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
       errmsg("%s is not allowed in the command of a job", CommandName(statement)),
       alone ? errdetail("The run itself begins and commits the transaction.")
             : errdetail("The statements of a command are one transaction, which the run itself "
                         "begins and commits."),
       errhint("Leave it out. To commit after each statement use the option transaction => "
               "'per_statement'; to commit in between, call a procedure that does.")));
}

void RefuseClientCopy(const CopyStmt* copy) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  copy->is_from ? errmsg("COPY FROM STDIN is not allowed in the command of a job")
                                : errmsg("COPY TO STDOUT is not allowed in the command of a job"),
                  errdetail("A job has no client."),
                  errhint("Use a file of the server or PROGRAM, or the table's rows themselves.")));
}

void CheckStatement(Node* statement, int count, bool per_statement) {
  if (IsA(statement, TransactionStmt)) {
    RefuseTransactionControl(statement, count == 1);
  }
  if (IsA(statement, CopyStmt)) {
    const auto* copy = reinterpret_cast<CopyStmt*>(statement);
    if (copy->filename == nullptr) {
      RefuseClientCopy(copy);
    }
  }
  if (count > 1 && !per_statement && NeedsTopLevel(statement)) {
    ereport(
        ERROR,
        (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
         errmsg("%s cannot be one of several statements of a command", CommandName(statement)),
         errdetail("Several statements are one transaction, and this one cannot run inside of a "
                   "transaction block."),
         errhint("Use the option transaction => 'per_statement'.")));
  }
}

bool IsSet(List* options, const char* name) {
  ListCell* cell;
  foreach (cell, options) {
    auto* option = lfirst_node(DefElem, cell);
    if (strcmp(option->defname, name) == 0) {
      return defGetBoolean(option);
    }
  }
  return false;
}

}  // namespace

bool NeedsTopLevel(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_VacuumStmt:
      return reinterpret_cast<const VacuumStmt*>(statement)->is_vacuumcmd;
    case T_IndexStmt:
      return reinterpret_cast<const IndexStmt*>(statement)->concurrent;
    case T_DropStmt:
      return reinterpret_cast<const DropStmt*>(statement)->concurrent;
    case T_ReindexStmt: {
      const auto* reindex = reinterpret_cast<const ReindexStmt*>(statement);
      return reindex->kind == REINDEX_OBJECT_SCHEMA || reindex->kind == REINDEX_OBJECT_SYSTEM ||
             reindex->kind == REINDEX_OBJECT_DATABASE || IsSet(reindex->params, "concurrently");
    }
    case pg::kRepackStatement:
      return pg::RepackedTable(statement) == nullptr ||
             IsSet(pg::RepackOptions(statement), "concurrently") ||
             IsSet(pg::RepackOptions(statement), "analyze");
    case T_DiscardStmt:
      return reinterpret_cast<const DiscardStmt*>(statement)->target == DISCARD_ALL;
    case T_CreatedbStmt:
    case T_DropdbStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_AlterSystemStmt:
      return true;
    default:
      return false;
  }
}

void CheckStatements(List* statements, bool per_statement) {
  if (statements == NIL) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the command of a job must not be empty"),
                    errhint("Give at least one SQL statement.")));
  }
  ListCell* cell;
  foreach (cell, statements) {
    CheckStatement(lfirst_node(RawStmt, cell)->stmt, list_length(statements), per_statement);
  }
}

void CheckCommand(const std::string& command, bool per_statement) {
  pg::Call([&] {
    MemoryContext parsing = AllocSetContextCreate(CurrentMemoryContext, "ratchet command check",
                                                  ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(parsing);
    CheckStatements(pg_parse_query(command.c_str()), per_statement);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(parsing);
  });
}

}  // namespace ratchet::worker
