#include "batch/action.h"

#include "batch/repeated_plan.h"
#include "pg/guard.h"

extern "C" {
#include "commands/trigger.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
}

namespace ratchet::batch {
namespace {

// All that follows is for use inside pg::Call.

ParamListInfo Parameters(const std::vector<Oid>& types) {
  ParamListInfo parameters = makeParamList(static_cast<int>(types.size()));
  for (std::size_t i = 0; i < types.size(); i++) {
    parameters->params[i] = {static_cast<Datum>(0), true, PARAM_FLAG_CONST, types[i]};
  }
  return parameters;
}

std::int64_t Run(Statement* statement, ParamListInfo parameters, DestReceiver* receiver) {
  SPIExecuteOptions options{};
  options.params = parameters;
  options.dest = receiver != nullptr ? receiver : None_Receiver;
  const int code = statement->Execute(options);
  if (code < 0) {
    elog(ERROR, "the action could not be executed: %s", SPI_result_code_string(code));
  }
  const bool changes = code != SPI_OK_SELECT && code != SPI_OK_UTILITY && code != SPI_OK_SELINTO;
  return changes ? static_cast<std::int64_t>(SPI_processed) : 0;
}

void RequireRightPlan(Statement* statement) {
  if (!statement->WasRight()) {
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("the plan of the action has changed while it was executed")));
  }
}

Datum ArrayOf(const Items& items, int column, int first, int count, Oid type) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * static_cast<Size>(count)));
  auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * static_cast<Size>(count)));
  for (int i = 0; i < count; i++) {
    values[i] = items.Values(first + i)[column];
    nulls[i] = items.Nulls(first + i)[column];
  }
  int dimensions[1] = {count};
  int lower_bounds[1] = {1};
  std::int16_t length;
  bool by_value;
  char alignment;
  get_typlenbyvalalign(type, &length, &by_value, &alignment);
  return PointerGetDatum(construct_md_array(values, nulls, 1, dimensions, lower_bounds, type,
                                            length, by_value, alignment));
}

void Bind(const Items& items, int item, ParamListInfo parameters) {
  const Datum* values = items.Values(item);
  const bool* nulls = items.Nulls(item);
  for (int i = 0; i < parameters->numParams; i++) {
    parameters->params[i].value = values[i];
    parameters->params[i].isnull = nulls[i];
  }
}

// The statements of the text, each as it stands there.
std::vector<std::string> StatementsOf(const std::string& text) {
  struct Part {
    std::size_t from, length;
  };
  Part* found = nullptr;
  int count = 0;
  pg::Call([&] {
    List* statements = pg_parse_query(text.c_str());
    count = list_length(statements);
    found = static_cast<Part*>(palloc0(sizeof(Part) * static_cast<Size>(count + 1)));
    for (int i = 0; i < count; i++) {
      const auto* statement = list_nth_node(RawStmt, statements, i);
      found[i].from = static_cast<std::size_t>(statement->stmt_location);
      found[i].length = statement->stmt_len > 0 ? static_cast<std::size_t>(statement->stmt_len)
                                                : std::string::npos;
    }
  });
  if (count == 1) {
    return {text};
  }
  std::vector<std::string> result;
  result.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; i++) {
    result.push_back(text.substr(found[i].from, found[i].length));
  }
  return result;
}

}  // namespace

Action::Action(const std::string& text, const Shape& shape, catalog::Per per)
    : per_(per), parameter_types_(ParameterTypes(shape, per)) {
  for (const Column& column : shape.columns) {
    // An array that is passed as one of a domain's base type says so itself.
    element_types_.push_back(pg::Call([&column] { return getBaseType(column.type); }));
  }
  for (const std::string& statement : StatementsOf(text)) {
    statements_.emplace_back().Prepare("action", statement, parameter_types_, 0);
  }
  // The text of the action is what a worker shows. A client's session shows its CALL.
  if (MyBackendType == B_BG_WORKER) {
    pg::Call([this] { statements_.front().ShowQueryId(); });
  }
}

std::int64_t Action::Execute(const Items& items, int first, int count, int* in_hand) {
  *in_hand = -1;
  for (Statement& statement : statements_) {
    statement.ChoosePlan();
  }
  const std::int64_t rows = per_ == catalog::Per::kItem
                                ? ExecuteForEach(items, first, count, in_hand)
                                : ExecuteForAll(items, first, count);
  // What would be found out at the commit is found out here, while it can still be isolated.
  // Nothing is pending from before the subtransaction, so that this is the same as at a commit.
  *in_hand = count == 1 ? first : -1;
  pg::Call([this] { FireDeferredTriggers(); });
  return rows;
}

// Inside of a statement by SET CONSTRAINTS ALL IMMEDIATE, which ends with the subtransaction.
void Action::FireDeferredTriggers() const {
  if (!inside_statement_) {
    AfterTriggerFireDeferred();
    return;
  }
  auto* all_immediate = makeNode(ConstraintsSetStmt);
  AfterTriggerSetState(all_immediate);
}

std::int64_t Action::ExecuteForEach(const Items& items, int first, int count, int* in_hand) {
  std::int64_t rows = 0;
  if (Repeat(items, first, count, in_hand, &rows)) {
    return rows;
  }
  ParamListInfo parameters = NewParameters();
  for (int item = first; item < first + count; item++) {
    Bind(items, item, parameters);
    pg::Call([&] { Begin(item, in_hand); });
    rows += ExecuteOnce(parameters);
  }
  return rows;
}

std::int64_t Action::ExecuteForAll(const Items& items, int first, int count) {
  ParamListInfo parameters = NewParameters();
  pg::Call([&] {
    for (int i = 0; i < parameters->numParams; i++) {
      parameters->params[i].value =
          ArrayOf(items, i, first, count, element_types_[static_cast<std::size_t>(i)]);
      parameters->params[i].isnull = false;
    }
  });
  return ExecuteOnce(parameters);
}

std::int64_t Action::ExecuteOnce(ParamListInfo parameters) {
  std::int64_t rows = 0;
  for (Statement& statement : statements_) {
    if (!statement.IsChosen()) {
      statement.ChoosePlan();
    }
    rows += pg::Call([&] {
      const std::int64_t changed = Run(&statement, parameters, receiver_);
      RequireRightPlan(&statement);
      return changed;
    });
  }
  return rows;
}

// Within one start of the executor. False when that is not possible.
bool Action::Repeat(const Items& items, int first, int count, int* in_hand, std::int64_t* rows) {
  if (!repeatable_ || count == 1 || statements_.size() != 1 || ExecutionIsWatched()) {
    return false;
  }
  Statement& statement = statements_.front();
  CachedPlanSource* kept = statement.kept();
  if (kept == nullptr) {
    return false;
  }
  ParamListInfo parameters = NewParameters();
  repeatable_ = pg::Call([&] {
    RepeatedPlan repeated;
    if (!repeated.Start(kept, parameters)) {
      return false;
    }
    RequireRightPlan(&statement);
    const bool logged = pg::StatementsAreLogged();
    for (int item = first; item < first + count; item++) {
      Bind(items, item, parameters);
      Begin(item, in_hand);
      if (logged) {
        pg::StatementLog log = statement.LogOf(parameters);
        log.Begin();
        repeated.Execute();
        log.End();
      } else {
        repeated.Execute();
      }
    }
    *rows = repeated.End();
    return true;
  });
  return repeatable_;
}

void Action::Begin(int item, int* in_hand) const {
  *in_hand = item;
  if (watch_.begin != nullptr) {
    watch_.begin(watch_.self, item);
  }
}

ParamListInfo Action::NewParameters() const {
  return pg::Call([this] { return Parameters(parameter_types_); });
}

}  // namespace ratchet::batch
