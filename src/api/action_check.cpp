#include "api/action_check.h"

#include <memory>

#include "batch/analysis.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/text_context.h"
#include "worker/command_check.h"

extern "C" {
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
}

namespace ratchet::api {
namespace {

struct Parameters {
  const Oid* types;
  int count;
  const char* list;  // "$1 = id (bigint), $2 = name (text)"
  bool* used;        // of each
};

// Everything up to CheckAction is for use inside pg::Call.

const char* CommandName(Node* statement) { return GetCommandTagName(CreateCommandTag(statement)); }

// What a transaction that is not its own cannot do; the rest is as in the command of any job.
// SET and RESET, but for SET LOCAL and SET TRANSACTION.
bool OutlivesTransaction(Node* statement) {
  if (!IsA(statement, VariableSetStmt)) {
    return false;
  }
  const auto* set = reinterpret_cast<VariableSetStmt*>(statement);
  return !set->is_local && set->kind != VAR_SET_MULTI;
}

void CheckActionStatements(List* statements) {
  if (statements == NIL) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("action must not be empty")));
  }
  ListCell* cell;
  foreach (cell, statements) {
    Node* statement = lfirst_node(RawStmt, cell)->stmt;
    if (IsA(statement, TransactionStmt)) {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("%s is not allowed in the action of a batch job", CommandName(statement)),
               errdetail("Each batch is a transaction, which the run itself begins and commits."),
               errhint("Leave it out.")));
    }
    if (OutlivesTransaction(statement)) {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("%s is not allowed in the action of a batch job", CommandName(statement)),
               errdetail("It would hold for the batches behind it, too, and for the source."),
               errhint("Use SET LOCAL, or the option settings of the job.")));
    }
    if (pg::IsWaitForLsn(statement)) {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("%s is not allowed in the action of a batch job", CommandName(statement)),
               errdetail("A batch has a snapshot, which WAIT FOR refuses."),
               errhint("Use the option max_replication_lag.")));
    }
    if (worker::NeedsTopLevel(statement)) {
      ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                      errmsg("%s cannot be in the action of a batch job", CommandName(statement)),
                      errdetail("Each batch is a transaction, and this statement cannot run inside "
                                "of a transaction block.")));
    }
  }
  worker::CheckStatements(statements, false);
}

Node* ParameterOf(ParseState* state, ParamRef* reference) {
  auto* parameters = static_cast<Parameters*>(state->p_ref_hook_state);
  const int number = reference->number;
  if (number < 1 || number > parameters->count) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_PARAMETER), errmsg("there is no parameter $%d", number),
             errdetail_plural("The source has %d column: %s.", "The source has %d columns: %s.",
                              static_cast<unsigned long>(parameters->count), parameters->count,
                              parameters->list),
             parser_errposition(state, reference->location)));
  }
  parameters->used[number - 1] = true;
  auto* parameter = makeNode(Param);
  parameter->paramkind = PARAM_EXTERN;
  parameter->paramid = number;
  parameter->paramtype = parameters->types[number - 1];
  parameter->paramtypmod = -1;
  parameter->paramcollid = get_typcollation(parameter->paramtype);
  parameter->location = reference->location;
  return reinterpret_cast<Node*>(parameter);
}

void SetUpParser(ParseState* state, void* parameters) {
  state->p_ref_hook_state = parameters;
  state->p_paramref_hook = ParameterOf;
}

void CheckStatement(RawStmt* statement, const char* text, Parameters* parameters) {
  ListCell* cell;
  foreach (cell, pg_analyze_and_rewrite_withcb(statement, text, SetUpParser, parameters, nullptr)) {
    auto* query = lfirst_node(Query, cell);
    if (query->commandType != CMD_UTILITY) {
      batch::PlanPermitted(query, text);
    } else if (IsA(query->utilityStmt, CallStmt)) {
      batch::RequireFunctions(
          reinterpret_cast<Node*>(reinterpret_cast<CallStmt*>(query->utilityStmt)->funcexpr));
    }
  }
}

}  // namespace

std::vector<bool> CheckAction(const std::string& action, const batch::Shape& shape,
                              catalog::Per per) {
  const std::vector<Oid> types = batch::ParameterTypes(shape, per);
  std::string list;
  for (std::size_t i = 0; i < types.size(); i++) {
    list += (i == 0 ? "$" : ", $") + std::to_string(i + 1) + " = " + shape.columns[i].name + " (";
    pg::Call([&] { list += format_type_be(types[i]); });
    list += ")";
  }
  const auto used = std::make_unique<bool[]>(types.size());
  Parameters parameters{types.data(), static_cast<int>(types.size()), list.c_str(), used.get()};
  const pg::TextContext context(action.c_str(), "action");
  pg::Call([&] {
    List* statements = pg_parse_query(action.c_str());
    CheckActionStatements(statements);
    ListCell* cell;
    foreach (cell, statements) {
      CheckStatement(lfirst_node(RawStmt, cell), action.c_str(), &parameters);
    }
  });
  return std::vector<bool>(used.get(), used.get() + types.size());
}

}  // namespace ratchet::api
