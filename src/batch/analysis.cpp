#include "batch/analysis.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/pg_class.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

namespace ratchet::batch {
namespace {

const SelectStmt* Leftmost(const SelectStmt* select) {
  while (select->op != SETOP_NONE) {
    select = select->larg;
  }
  return select;
}

// The one statement; more than a query is refused before its names are looked up.
RawStmt* ParseSource(const char* source) {
  List* statements = pg_parse_query(source);
  if (list_length(statements) != 1) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    statements == NIL ? errmsg("source must not be empty")
                                      : errmsg("source must be one query, not several statements"),
                    errhint("For example: SELECT id FROM orders WHERE NOT exported.")));
  }
  RawStmt* statement = linitial_node(RawStmt, statements);
  if (!IsA(statement->stmt, SelectStmt)) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("source must be a query, not %s",
                           GetCommandTagName(CreateCommandTag(reinterpret_cast<Node*>(statement)))),
                    errdetail("The source gives the items, and is read again for each batch."),
                    errhint("What is to be done with each item is the action.")));
  }
  if (Leftmost(reinterpret_cast<SelectStmt*>(statement->stmt))->intoClause != nullptr) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("source must not be SELECT INTO"), errhint("Leave INTO out.")));
  }
  return statement;
}

void RequireFunction(Oid function) {
  if (!pg::MayExecute(function, GetUserId())) {
    aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
  }
}

// Calls that the executor checks when it starts. Operators and casts are nobody's secret.
bool VisitFunctions(Node* node, void* context) {
  if (node == nullptr) {
    return false;
  }
  switch (nodeTag(node)) {
    case T_FuncExpr:
      RequireFunction(reinterpret_cast<FuncExpr*>(node)->funcid);
      break;
    case T_Aggref:
      RequireFunction(reinterpret_cast<Aggref*>(node)->aggfnoid);
      break;
    case T_WindowFunc:
      RequireFunction(reinterpret_cast<WindowFunc*>(node)->winfnoid);
      break;
    default:
      break;
  }
  return pg::WalkBelow(node, VisitFunctions, context);
}

void RefuseTemporaryTables(const PlannedStmt* plan) {
  ListCell* cell;
  foreach (cell, plan->relationOids) {
    const Oid table = lfirst_oid(cell);
    if (get_rel_persistence(table) == RELPERSISTENCE_TEMP) {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("a job cannot use temporary table \"%s\"", get_rel_name(table)),
                      errdetail("It runs in a session of its own, which does not have it.")));
    }
  }
}

}  // namespace

Query* AnalyzeSource(const char* source) {
  Query* query = parse_analyze_fixedparams(ParseSource(source), source, nullptr, 0, nullptr);
  if (query->hasModifyingCTE) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("source must not change data in WITH"),
                    errdetail("The source gives the items, and is read again for each batch."),
                    errhint("Change data in the action.")));
  }
  return query;
}

void RequireFunctions(Node* tree) { VisitFunctions(tree, nullptr); }

PlannedStmt* PlanPermitted(Query* query, const char* text) {
  RequireFunctions(reinterpret_cast<Node*>(query));
  PlannedStmt* plan = pg::PlanQuery(query, text, CURSOR_OPT_GENERIC_PLAN, nullptr);
  pg::RequirePlan(plan);
  RefuseTemporaryTables(plan);
  return plan;
}

}  // namespace ratchet::batch
