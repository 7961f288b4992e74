#include "batch/source.h"

#include "batch/subquery.h"
#include "pg/compat_planner.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "nodes/params.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
}

namespace ratchet::batch {
namespace {

// For use inside pg::Call.
PlannedStmt* PlanOf(const char* text, const Oid* types, int count, ParamListInfo values) {
  PushActiveSnapshot(GetTransactionSnapshot());
  List* queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, pg_parse_query(text)),
                                                     text, types, count, nullptr);
  PlannedStmt* plan = pg::PlanQuery(linitial_node(Query, queries), text, 0, values);
  PopActiveSnapshot();
  return plan;
}

// For use inside pg::Call.
bool ReadsForeignTable(const PlannedStmt* plan) {
  ListCell* cell;
  foreach (cell, plan->rtable) {
    if (lfirst_node(RangeTblEntry, cell)->relkind == RELKIND_FOREIGN_TABLE) {
      return true;
    }
  }
  return false;
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
  std::optional<Slice>& slice = slices_[(lower ? 1 : 0) + (upper ? 2 : 0)];
  if (!slice) {
    slice.emplace(shape_, key_, from_, lower, upper);
  }
  BindBounds(after, until);
  items->Clear();
  items->columns = static_cast<int>(shape_.columns.size());
  // One more than asked for shows whether there are others.
  *more = slice->Fetch(values_.data(), limit + 1, seen_, items) > limit;
  seen_.full += *more ? 1 : 0;
  seen_.sorting_cost = slice->sorting_cost();
  CheckKeys(*items, 0);
  if (*more) {
    items->values.resize(items->values.size() - static_cast<std::size_t>(items->columns));
    items->nulls.resize(items->values.size());
  }
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
  if (!one_) {
    std::string where;
    std::vector<Oid> types;
    for (int i = 0; i < key_.size(); i++) {
      where += (i == 0 ? " WHERE " : " AND ") + key_.column(i) + " " + key_.equal(i) + " $" +
               std::to_string(i + 1);
      types.push_back(key_.type(i));
    }
    one_.emplace("SELECT " + Aliases(shape_) + from_ + where, std::move(types), shape_);
  }
  BindBounds(key, {});
  items->columns = static_cast<int>(shape_.columns.size());
  const int found = one_->Run({}, values_.data(), 2, items);
  if (found > 1) {
    CheckKeys(*items, items->size() - found);
  }
  return found > 0;
}

std::string Source::LastKey() {
  KeptQuery query("SELECT " + Aliases(shape_) + from_ + InOrder(shape_, true) + " LIMIT 1", {},
                  shape_);
  Items items;
  items.columns = static_cast<int>(shape_.columns.size());
  if (query.Run({}, nullptr, 1, &items) == 0) {
    return {};
  }
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
  const std::string text = "SELECT 1" + from_ + Bounds(key_, BoundsForm::kRange, lower, upper);
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
    const PlannedStmt* plan = PlanOf(text.c_str(), types, keys, bounds);
    rows = plan->planTree->plan_rows;
    reads_foreign_table_ = ReadsForeignTable(plan);
  });
  return rows;
}

// A row whose columns are null IS NULL, but is a value that has its place in the order.
void Source::RefuseNullKeys() {
  for (int i = 0; i < key_.size(); i++) {
    const std::string text = "SELECT 1" + from_ + " WHERE " + Alias(key_.position(i)) +
                             " IS NOT DISTINCT FROM NULL LIMIT 1";
    const bool found = pg::Call([&text] {
      pg::StatementLog log({text.c_str(), LOGSTMT_ALL, "source"});
      log.Begin();
      if (SPI_execute(text.c_str(), false, 1) != SPI_OK_SELECT) {
        elog(ERROR, "SPI_execute failed");
      }
      log.End();
      return SPI_processed > 0;
    });
    if (found) {
      RefuseNullKey(shape_.columns[static_cast<std::size_t>(key_.position(i))].name.c_str());
    }
  }
}

}  // namespace ratchet::batch
