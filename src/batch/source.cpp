#include "batch/source.h"

#include <bit>

#include "batch/subquery.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_type.h"
#include "nodes/params.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
}

namespace ratchet::batch {
namespace {

std::string Parameter(int number) { return "$" + std::to_string(number); }

// For use inside pg::Call.
void Select(SPIPlanPtr plan, Datum* values, int limit) {
  const int code = SPI_execute_plan(plan, values, nullptr, false, limit);
  if (code != SPI_OK_SELECT) {
    elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));
  }
}

// For use inside pg::Call.
PlannedStmt* PlanOf(const char* text, const Oid* types, int count, ParamListInfo values) {
  PushActiveSnapshot(GetTransactionSnapshot());
  List* queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, pg_parse_query(text)),
                                                     text, types, count, nullptr);
  PlannedStmt* plan = pg_plan_query(linitial_node(Query, queries), text, 0, values);
  PopActiveSnapshot();
  return plan;
}

[[noreturn]] void RefuseNullKey(const char* column) {
  throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED,
                  "key column \"" + std::string(column) + "\" of the source is null",
                  "Leave such rows out of the source, or choose another key.",
                  "A walk in the order of the key cannot reach them.");
}

}  // namespace

Source::Source(const std::string& query, const Shape& shape, const Key& key)
    : shape_(shape), key_(key), from_(FromSource(query, shape)) {
  values_.resize(2 * static_cast<std::size_t>(key_.size()));
}

Source::~Source() {
  for (Plan& plan : slices_) {
    Drop(&plan);
  }
  Drop(&one_);
}

void Source::Drop(Plan* plan) noexcept {
  if (plan->plan != nullptr) {
    SPI_freeplan(plan->plan);
    plan->plan = nullptr;
  }
}

// ---- Texts -------------------------------------------------------------------------------------

// As a comparison of rows, which an index can answer; spelled out when the columns' types have
// operators of different names. The end is inclusive: not behind it.
std::string Source::Behind(int first, bool inclusive_end) const {
  std::string items;
  std::string bounds;
  std::string spelled_out;
  std::string equal_so_far;
  bool same = true;
  for (int i = 0; i < key_.size(); i++) {
    const std::string name = Alias(key_.position(i));
    const std::string bound = Parameter(first + i);
    items += (i == 0 ? "" : ", ") + name;
    bounds += (i == 0 ? "" : ", ") + bound;
    same = same && key_.behind(i) == key_.behind(0);
    spelled_out.append(i == 0 ? "(" : " OR (").append(equal_so_far);
    spelled_out.append(name).append(" ").append(key_.behind(i)).append(" ");
    spelled_out.append(bound).append(")");
    equal_so_far.append(name).append(" ").append(key_.equal(i)).append(" ");
    equal_so_far.append(bound).append(" AND ");
  }
  const std::string behind =
      same ? "ROW(" + items + ") " + key_.behind(0) + " ROW(" + bounds + ")" : spelled_out;
  if (!inclusive_end) {
    return "(" + behind + ")";
  }
  const bool plain = same && key_.behind(0) == (key_.descending() ? "OPERATOR(pg_catalog.<)"
                                                                  : "OPERATOR(pg_catalog.>)");
  return plain
             ? "(ROW(" + items + ")" +
                   (key_.descending() ? " OPERATOR(pg_catalog.>=) " : " OPERATOR(pg_catalog.<=) ") +
                   "ROW(" + bounds + "))"
             : "(NOT (" + behind + "))";
}

std::string Source::Bounds(bool lower, bool upper) const {
  std::string where;
  if (lower) {
    where += " WHERE " + Behind(1, false);
  }
  if (upper) {
    where += (lower ? " AND " : " WHERE ") + Behind(lower ? key_.size() + 1 : 1, true);
  }
  return where;
}

// ---- Plans -------------------------------------------------------------------------------------

void Source::Prepare(Plan* plan, const std::string& text, int keys) {
  if (plan->plan != nullptr) {
    Drop(plan);
  }
  std::vector<Oid> types;
  types.reserve(static_cast<std::size_t>(keys));
  for (int i = 0; i < keys; i++) {
    types.push_back(key_.type(i % key_.size()));
  }
  plan->text = text;
  pg::Call([&] {
    // A plan that is the same for each batch: what is known of one bound says little of the next.
    SPIPlanPtr prepared =
        SPI_prepare_cursor(plan->text.c_str(), keys, types.data(), CURSOR_OPT_GENERIC_PLAN);
    if (prepared == nullptr) {
      elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
    }
    if (SPI_keepplan(prepared) != 0) {
      elog(ERROR, "SPI_keepplan failed");
    }
    plan->plan = prepared;
  });
}

void Source::BindBounds(const std::string& after, const std::string& until) {
  pg::Call([&] {
    Datum* values = values_.data();
    if (!after.empty()) {
      key_.Parse(after.c_str(), values);
      values += key_.size();
    }
    if (!until.empty()) {
      key_.Parse(until.c_str(), values);
    }
  });
}

void Source::Fetch(const std::string& after, const std::string& until, int limit, Items* items,
                   bool* more) {
  const bool lower = !after.empty();
  const bool upper = !until.empty();
  Plan& plan = slices_[(lower ? 1 : 0) + (upper ? 2 : 0)];
  // One more than asked for shows whether there are others. The planner gets a number that holds
  // for some time while the size of the batches adapts.
  const int rows = limit + 1;
  if (plan.plan == nullptr || rows > plan.limit || rows < plan.limit / 8) {
    plan.limit = static_cast<int>(std::bit_ceil(static_cast<unsigned>(rows)));
    Prepare(&plan,
            "SELECT " + Aliases(shape_) + from_ + Bounds(lower, upper) + InOrder(shape_, false) +
                " LIMIT " + std::to_string(plan.limit),
            key_.size() * (static_cast<int>(lower) + static_cast<int>(upper)));
  }
  BindBounds(after, until);
  std::uint64_t found = 0;
  pg::Call([&] {
    Select(plan.plan, values_.data(), rows);
    found = SPI_processed;
  });
  items->Clear();
  items->columns = static_cast<int>(shape_.columns.size());
  Take(0, static_cast<int>(found), items);
  CheckKeys(*items, 0);
  *more = found > static_cast<std::uint64_t>(limit);
  if (*more) {
    items->values.resize(items->values.size() - static_cast<std::size_t>(items->columns));
    items->nulls.resize(items->values.size());
  }
}

SourceChanged::SourceChanged()
    : Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "the columns of the source change all the time",
            "Let the run begin again when the tables stay as they are.") {}

// Values of other types would be read as what they are not.
void Source::RequireTypes() const {
  const TupleDesc row = SPI_tuptable->tupdesc;
  bool same = static_cast<std::size_t>(row->natts) == shape_.columns.size();
  for (int i = 0; same && i < row->natts; i++) {
    same = TupleDescAttr(row, i)->atttypid == shape_.columns[static_cast<std::size_t>(i)].type;
  }
  if (!same) {
    throw SourceChanged();
  }
}

// Rows of the last query. Their values are in SPI's memory until it is left.
void Source::Take(int from, int count, Items* items) {
  RequireTypes();
  const auto columns = static_cast<std::size_t>(items->columns);
  const std::size_t old = items->values.size();
  items->values.resize(old + columns * static_cast<std::size_t>(count));
  items->nulls.resize(items->values.size());
  Datum* values = items->values.data() + old;
  bool* nulls = reinterpret_cast<bool*>(items->nulls.data() + old);
  pg::Call([=] {
    for (int i = 0; i < count; i++) {
      const std::size_t offset = columns * static_cast<std::size_t>(i);
      heap_deform_tuple(SPI_tuptable->vals[from + i], SPI_tuptable->tupdesc, values + offset,
                        nulls + offset);
    }
  });
}

// Rows with a null key come last in an ascending order, and would never be behind any key; those
// with the same key as the last of a batch would be skipped by the next one.
void Source::CheckKeys(const Items& items, int first) const {
  for (int i = first; i < items.size(); i++) {
    if (const char* column = key_.NullColumn(items.Nulls(i))) {
      RefuseNullKey(column);
    }
  }
  int order = -1;
  const char* json = nullptr;
  pg::Call([&] {
    for (int i = first + 1; i < items.size() && order < 0; i++) {
      order = const_cast<Key&>(key_).Compare(items.Values(i - 1), items.Values(i));
      if (order >= 0) {
        StringInfoData text;
        initStringInfo(&text);
        key_.Write(items.Values(i), &text);
        json = text.data;
      }
    }
  });
  if (order > 0) {
    throw pg::Error(ERRCODE_INDEX_CORRUPTED,
                    "the source gives the key " + std::string(json) + " out of order",
                    "Rebuild the indexes of its tables by REINDEX.",
                    "An index was built in another order than its type or collation has now.");
  }
  if (order == 0) {
    throw pg::Error(ERRCODE_CARDINALITY_VIOLATION,
                    "the source has more than one row with the key " + std::string(json),
                    "Add columns to the key until it tells each row from every other.",
                    "A batch that ends between them would skip one.");
  }
}

bool Source::FetchOne(const std::string& key, Items* items) {
  if (one_.plan == nullptr) {
    std::string where;
    for (int i = 0; i < key_.size(); i++) {
      where += (i == 0 ? " WHERE " : " AND ") + Alias(key_.position(i)) + " " + key_.equal(i) +
               " " + Parameter(i + 1);
    }
    Prepare(&one_, "SELECT " + Aliases(shape_) + from_ + where, key_.size());
  }
  BindBounds(key, {});
  std::uint64_t found = 0;
  pg::Call([&] {
    Select(one_.plan, values_.data(), 2);
    found = SPI_processed;
  });
  items->columns = static_cast<int>(shape_.columns.size());
  Take(0, static_cast<int>(found), items);
  if (found > 1) {
    CheckKeys(*items, items->size() - static_cast<int>(found));
  }
  return found > 0;
}

std::string Source::LastKey() {
  const std::string text = "SELECT " + Aliases(shape_) + from_ + InOrder(shape_, true) + " LIMIT 1";
  Items items;
  items.columns = static_cast<int>(shape_.columns.size());
  bool found = false;
  pg::Call([&] {
    if (SPI_execute(text.c_str(), false, 1) != SPI_OK_SELECT) {
      elog(ERROR, "SPI_execute failed");
    }
    found = SPI_processed > 0;
  });
  if (!found) {
    return {};
  }
  Take(0, 1, &items);
  CheckKeys(items, 0);
  std::string last;
  pg::Call([&] {
    StringInfoData json;
    initStringInfo(&json);
    key_.Write(items.Values(0), &json);
    last = json.data;
  });
  return last;
}

// ---- What the planner knows
// ----------------------------------------------------------------------

double Source::Estimate(const std::string& after, const std::string& until) {
  const bool lower = !after.empty();
  const bool upper = !until.empty();
  const std::string text = "SELECT 1" + from_ + Bounds(lower, upper);
  BindBounds(after, until);
  const int keys = key_.size() * (static_cast<int>(lower) + static_cast<int>(upper));
  double rows = 0;
  pg::Call([&] {
    ParamListInfo bounds = makeParamList(keys);
    Oid* types = static_cast<Oid*>(palloc0(sizeof(Oid) * static_cast<Size>(keys + 1)));
    for (int i = 0; i < keys; i++) {
      types[i] = key_.type(i % key_.size());
      bounds->params[i] = {values_[static_cast<std::size_t>(i)], false, PARAM_FLAG_CONST, types[i]};
    }
    rows = PlanOf(text.c_str(), types, keys, bounds)->planTree->plan_rows;
  });
  return rows;
}

// A row whose columns are null IS NULL, but is a value that has its place in the order.
void Source::RefuseNullKeys() {
  for (int i = 0; i < key_.size(); i++) {
    const std::string text = "SELECT 1" + from_ + " WHERE " + Alias(key_.position(i)) +
                             " IS NOT DISTINCT FROM NULL LIMIT 1";
    const bool found = pg::Call([&text] {
      if (SPI_execute(text.c_str(), false, 1) != SPI_OK_SELECT) {
        elog(ERROR, "SPI_execute failed");
      }
      return SPI_processed > 0;
    });
    if (found) {
      RefuseNullKey(shape_.columns[static_cast<std::size_t>(key_.position(i))].name.c_str());
    }
  }
}

std::vector<Oid> Source::Tables() {
  const std::string text = "SELECT 1" + from_;
  List* found = nullptr;
  pg::Call([&] { found = PlanOf(text.c_str(), nullptr, 0, nullptr)->relationOids; });
  std::vector<Oid> tables;
  tables.reserve(static_cast<std::size_t>(list_length(found)));
  for (int i = 0; i < list_length(found); i++) {
    tables.push_back(list_nth_oid(found, i));
  }
  return tables;
}

}  // namespace ratchet::batch
