#include "batch/kept_query.h"

#include <utility>

extern "C" {
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/datum.h"
}

namespace ratchet::batch {
namespace {

// All that follows is for use inside pg::Call.

// Takes rows, in place of SPI's own table of them.
struct Receiver {
  DestReceiver base;
  MemoryContext memory;
  const Oid* types;
  int columns;
  Datum* values;
  bool* nulls;
  int count;
  bool has_types;  // the columns are of the types that we know them by
};

void StartUp(DestReceiver* base, int /*operation*/, TupleDesc row) {
  auto* receiver = reinterpret_cast<Receiver*>(base);
  receiver->has_types = row->natts == receiver->columns;
  for (int i = 0; receiver->has_types && i < row->natts; i++) {
    receiver->has_types = TupleDescAttr(row, i)->atttypid == receiver->types[i];
  }
}

// False: no more of them.
bool Receive(TupleTableSlot* row, DestReceiver* base) {
  auto* receiver = reinterpret_cast<Receiver*>(base);
  if (!receiver->has_types) {
    return false;
  }
  slot_getallattrs(row);
  const std::size_t offset =
      static_cast<std::size_t>(receiver->count) * static_cast<std::size_t>(receiver->columns);
  Datum* values = receiver->values + offset;
  bool* nulls = receiver->nulls + offset;
  MemoryContext old = MemoryContextSwitchTo(receiver->memory);
  for (int i = 0; i < receiver->columns; i++) {
    const FormData_pg_attribute* column = TupleDescAttr(row->tts_tupleDescriptor, i);
    nulls[i] = row->tts_isnull[i];
    values[i] = nulls[i] ? static_cast<Datum>(0)
                         : datumCopy(row->tts_values[i], column->attbyval, column->attlen);
  }
  MemoryContextSwitchTo(old);
  receiver->count++;
  return true;
}

void Ignore(DestReceiver* /*base*/) {}

ParamListInfo Bound(const std::vector<Oid>& types, const Datum* values) {
  ParamListInfo list = makeParamList(static_cast<int>(types.size()));
  for (int i = 0; i < list->numParams; i++) {
    list->params[i] = {values[i], false, PARAM_FLAG_CONST, types[static_cast<std::size_t>(i)]};
  }
  return list;
}

bool ReadsForeignTable(const CachedPlan* plan) {
  ListCell* cell;
  foreach (cell, linitial_node(PlannedStmt, plan->stmt_list)->rtable) {
    if (lfirst_node(RangeTblEntry, cell)->relkind == RELKIND_FOREIGN_TABLE) {
      return true;
    }
  }
  return false;
}

}  // namespace

SourceChanged::SourceChanged()
    : Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the columns of the source change all the time",
            "Let the run begin again when the tables stay as they are.") {}

KeptQuery::KeptQuery(std::string text, std::vector<Oid> parameters, const Shape& shape)
    : text_(std::move(text)), parameters_(std::move(parameters)), shape_(shape) {
  // A plan that is the same for each batch: what is known of one bound says little of the next.
  statement_.Prepare("source", text_, parameters_, CURSOR_OPT_GENERIC_PLAN);
}

// What the planner has said, if it has been at work.
void KeptQuery::Note(const WalkPlanning& planning) {
  const CachedPlanSource* kept = statement_.kept();
  const CachedPlan* plan = kept != nullptr ? kept->gplan : nullptr;
  const int generation = plan != nullptr ? plan->generation : 0;
  if (planning.has_planned()) {
    const bool foreign = plan != nullptr && pg::Call([plan] { return ReadsForeignTable(plan); });
    facts_ = {foreign, planning.spans_tables(), plan != nullptr && planning.has_other_way(),
              planning.ordered(), planning.sorted_cost()};
  }
  generation_ = generation;
}

bool KeptQuery::Plan(const policy::SlicesSoFar& seen) {
  WalkPlanning planning(text_.c_str(), seen);
  statement_.ChoosePlan();
  Note(planning);
  return std::exchange(told_, generation_) != generation_;
}

int KeptQuery::Run(const policy::SlicesSoFar& seen, const Datum* values, int most, Items* items) {
  WalkPlanning planning(text_.c_str(), seen);
  const auto columns = static_cast<std::size_t>(items->columns);
  const std::size_t old = items->values.size();
  items->values.resize(old + columns * static_cast<std::size_t>(most));
  items->nulls.resize(items->values.size());
  std::vector<Oid> types;
  for (const Column& column : shape_.columns) {
    types.push_back(column.type);
  }
  Receiver receiver{};
  receiver.base = {Receive, StartUp, Ignore, Ignore, DestTuplestore};
  receiver.memory = CurrentMemoryContext;
  receiver.types = types.data();
  receiver.columns = items->columns;
  receiver.values = items->values.data() + old;
  receiver.nulls = reinterpret_cast<bool*>(items->nulls.data() + old);
  bool right = false;
  while (!right) {
    statement_.ChoosePlan();
    receiver.count = 0;
    pg::Call([&] {
      SPIExecuteOptions options{};
      options.params = Bound(parameters_, values);
      options.tcount = static_cast<std::uint64_t>(most);
      options.dest = &receiver.base;
      const int code = statement_.Execute(options);
      if (code != SPI_OK_SELECT) {
        elog(ERROR, "the source could not be read: %s", SPI_result_code_string(code));
      }
      right = statement_.WasRight();
    });
  }
  Note(planning);
  if (!receiver.has_types) {
    throw SourceChanged();
  }
  items->values.resize(old + columns * static_cast<std::size_t>(receiver.count));
  items->nulls.resize(items->values.size());
  return receiver.count;
}

}  // namespace ratchet::batch
