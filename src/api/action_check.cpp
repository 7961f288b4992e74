#include "api/action_check.h"

#include <memory>

#include "batch/analysis.h"
#include "batch/task_shape.h"
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

// What the text is to those who read an error about it.
struct Kind {
  const char* name;   // of the argument
  const char* owner;  // what has it
  bool is_handler;
};
constexpr Kind kActionOfBatch = {"action", "a batch job", false};
constexpr Kind kHandler = {"handler", "a queue", true};

struct Parameters {
  const Oid* types;
  int count;
  const char* list;  // "$1 = id (bigint), $2 = name (text)"
  bool* used;        // of each
  const Kind* kind;
};

// Everything up to Check is for use inside pg::Call.

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

void CheckActionStatements(List* statements, const Kind& kind) {
  if (statements == NIL) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be empty", kind.name)));
  }
  if (kind.is_handler && list_length(statements) > 1) {
    ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("handler must be one statement"),
                    errhint("Put several of them into a function, and call that.")));
  }
  ListCell* cell;
  foreach (cell, statements) {
    Node* statement = lfirst_node(RawStmt, cell)->stmt;
    if (IsA(statement, TransactionStmt)) {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("%s is not allowed in the %s of %s", CommandName(statement), kind.name,
                      kind.owner),
               errdetail("Each batch is a transaction, which the run itself begins and commits."),
               errhint("Leave it out.")));
    }
    if (OutlivesTransaction(statement)) {
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("%s is not allowed in the %s of %s", CommandName(statement), kind.name,
                      kind.owner),
               kind.is_handler
                   ? errdetail("It would hold for the batches behind it, too.")
                   : errdetail("It would hold for the batches behind it, too, and for the source."),
               errhint("Use SET LOCAL, or the option settings of the %s.",
                       kind.is_handler ? "queue" : "job")));
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
                      errmsg("%s cannot be in the %s of %s", CommandName(statement), kind.name,
                             kind.owner),
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
    ereport(
        ERROR,
        (errcode(ERRCODE_UNDEFINED_PARAMETER), errmsg("there is no parameter $%d", number),
         parameters->kind->is_handler
             ? errdetail("The parameters of a handler are %s.", parameters->list)
             : errdetail_plural("The source has %d column: %s.", "The source has %d columns: %s.",
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

std::vector<bool> Check(const std::string& action, const batch::Shape& shape, catalog::Per per,
                        const Kind& kind) {
  const std::vector<Oid> types = batch::ParameterTypes(shape, per);
  std::string list;
  for (std::size_t i = 0; i < types.size(); i++) {
    list += (i == 0 ? "$" : ", $") + std::to_string(i + 1) + " = " + shape.columns[i].name + " (";
    pg::Call([&] { list += format_type_be(types[i]); });
    list += ")";
  }
  const auto used = std::make_unique<bool[]>(types.size());
  Parameters parameters{types.data(), static_cast<int>(types.size()), list.c_str(), used.get(),
                        &kind};
  const pg::TextContext context(action.c_str(), kind.name, kind.owner);
  pg::Call([&] {
    List* statements = pg_parse_query(action.c_str());
    CheckActionStatements(statements, kind);
    ListCell* cell;
    foreach (cell, statements) {
      CheckStatement(lfirst_node(RawStmt, cell), action.c_str(), &parameters);
    }
  });
  return std::vector<bool>(used.get(), used.get() + types.size());
}

}  // namespace

std::vector<bool> CheckAction(const std::string& action, const batch::Shape& shape,
                              catalog::Per per) {
  return Check(action, shape, per, kActionOfBatch);
}

std::vector<bool> CheckHandler(const std::string& handler, catalog::Per per) {
  return Check(handler, batch::TaskShape(), per, kHandler);
}

}  // namespace ratchet::api
