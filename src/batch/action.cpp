#include "batch/action.h"

#include "batch/repeated_plan.h"
#include "pg/guard.h"

extern "C" {
#include "commands/trigger.h"
#include "nodes/params.h"
#include "tcop/dest.h"
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

// What it returns is of no interest.
std::int64_t Run(SPIPlanPtr plan, ParamListInfo parameters) {
  SPIExecuteOptions options{};
  options.params = parameters;
  options.dest = None_Receiver;
  const int code = SPI_execute_plan_extended(plan, &options);
  if (code < 0) {
    elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(code));
  }
  const bool changes = code != SPI_OK_SELECT && code != SPI_OK_UTILITY && code != SPI_OK_SELINTO;
  return changes ? static_cast<std::int64_t>(SPI_processed) : 0;
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

}  // namespace

Action::Action(const std::string& text, const Shape& shape, catalog::Per per)
    : per_(per), parameter_types_(ParameterTypes(shape, per)), text_(text) {
  for (const Column& column : shape.columns) {
    column_types_.push_back(column.type);
  }
  pg::Call([this] {
    SPIPlanPtr prepared = SPI_prepare(text_.c_str(), static_cast<int>(parameter_types_.size()),
                                      parameter_types_.data());
    if (prepared == nullptr) {
      elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    }
    if (SPI_keepplan(prepared) != 0) {
      elog(ERROR, "SPI_keepplan failed");
    }
    plan_ = prepared;
  });
}

Action::~Action() {
  if (plan_ != nullptr) {
    SPI_freeplan(plan_);
  }
}

std::int64_t Action::Execute(const Items& items, int first, int count, int* in_hand) {
  *in_hand = -1;
  const std::int64_t rows = per_ == catalog::Per::kItem
                                ? ExecuteForEach(items, first, count, in_hand)
                                : ExecuteForAll(items, first, count);
  // What would be found out at the commit is found out here, while it can still be isolated.
  // Nothing is pending from before the subtransaction, so that this is the same as at a commit.
  *in_hand = count == 1 ? first : -1;
  pg::Call([] { AfterTriggerFireDeferred(); });
  return rows;
}

std::int64_t Action::ExecuteForEach(const Items& items, int first, int count, int* in_hand) {
  std::int64_t rows = 0;
  pg::Call([&] {
    ParamListInfo parameters = Parameters(parameter_types_);
    List* sources = SPI_plan_get_plan_sources(plan_);
    RepeatedPlan repeated;
    const bool repeats =
        repeatable_ && list_length(sources) == 1 && count > 1 &&
        repeated.Start(static_cast<CachedPlanSource*>(linitial(sources)), parameters);
    repeatable_ = repeats || (repeatable_ && count == 1);
    for (int item = first; item < first + count; item++) {
      *in_hand = item;
      const Datum* values = items.Values(item);
      const bool* nulls = items.Nulls(item);
      for (int i = 0; i < parameters->numParams; i++) {
        parameters->params[i].value = values[i];
        parameters->params[i].isnull = nulls[i];
      }
      if (repeats) {
        repeated.Execute();
      } else {
        rows += Run(plan_, parameters);
      }
    }
    if (repeats) {
      rows = repeated.End();
    }
  });
  return rows;
}

std::int64_t Action::ExecuteForAll(const Items& items, int first, int count) {
  std::int64_t rows = 0;
  pg::Call([&] {
    ParamListInfo parameters = Parameters(parameter_types_);
    for (int i = 0; i < parameters->numParams; i++) {
      parameters->params[i].value =
          ArrayOf(items, i, first, count, column_types_[static_cast<std::size_t>(i)]);
      parameters->params[i].isnull = false;
    }
    rows = Run(plan_, parameters);
  });
  return rows;
}

}  // namespace ratchet::batch
