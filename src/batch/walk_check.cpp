#include "batch/walk_check.h"

#include <algorithm>

#include "batch/analysis.h"
#include "batch/plan_parts.h"
#include "batch/plan_text.h"
#include "batch/subquery.h"
#include "batch/walk_planning.h"
#include "pg/guard.h"
#include "pg/text_context.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "optimizer/optimizer.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
}

namespace ratchet::batch {
namespace {

// ---- For use inside pg::Call -------------------------------------------------------------------

// The sort through which the rows of the plan come, of all of them or of those that are the same in
// the first columns of the key, following the order up from where it is made; null if there is
// none. What is sorted for one row at a time is not in that way.
const Plan* SortOf(const Plan* plan) {
  while (plan != nullptr) {
    List* children = NIL;
    switch (nodeTag(plan)) {
      case T_Sort:
        return plan;
      case T_IncrementalSort: {
        const Plan* below = SortOf(outerPlan(plan));
        return below != nullptr ? below : plan;
      }
      case T_Append:
        children = reinterpret_cast<const Append*>(plan)->appendplans;
        break;
      case T_MergeAppend:
        children = reinterpret_cast<const MergeAppend*>(plan)->mergeplans;
        break;
      case T_SubqueryScan:
        plan = reinterpret_cast<const SubqueryScan*>(plan)->subplan;
        continue;
      default:
        break;
    }
    ListCell* cell;
    foreach (cell, children) {
      if (const Plan* sort = SortOf(static_cast<Plan*>(lfirst(cell)))) {
        return sort;
      }
    }
    plan = outerPlan(plan);
  }
  return nullptr;
}

// As the engine plans a slice (batch/slice.h), but for the bounds, which have no part in whether
// something gives the order: if a sort is left, nothing does.
PlannedStmt* PlanWalk(const char* text) {
  List* queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, pg_parse_query(text)),
                                                     text, nullptr, 0, nullptr);
  return PlanPermitted(linitial_node(Query, queries), text);
}

// Whether the rows of the source come in the order of the walk by its own ORDER BY.
bool SortsByKey(const Query* query, const std::vector<int>& key, bool descending) {
  std::size_t i = 0;
  ListCell* cell;
  foreach (cell, query->sortClause) {
    if (i == key.size()) {
      break;  // what comes behind the whole key has nothing to decide
    }
    auto* clause = lfirst_node(SortGroupClause, cell);
    Oid family;
    Oid type;
    int16 strategy;
    if (get_sortgroupclause_tle(clause, query->targetList)->resno - 1 != key[i++] ||
        !get_ordering_op_properties(clause->sortop, &family, &type, &strategy) ||
        (strategy == BTGreaterStrategyNumber) != descending || clause->nulls_first != descending) {
      return false;
    }
  }
  return true;
}

// DISTINCT ON has to have it, and with LIMIT it says which rows are meant.
bool HasOwnOrder(const Query* query, const std::vector<int>& key, bool descending) {
  return query->sortClause != NIL && !query->hasDistinctOn && query->limitCount == nullptr &&
         query->limitOffset == nullptr && !SortsByKey(query, key, descending);
}

const char* TableName(Oid table) {
  return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                    get_rel_name(table));
}

const char* ColumnNames(const KeyOrigin& origin, int count) {
  StringInfoData names;
  initStringInfo(&names);
  for (int i = 0; i < count; i++) {
    if (origin.columns[i] == 0) {
      return "";
    }
    appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ",
                     quote_identifier(get_attname(origin.table, origin.columns[i], false)));
  }
  return names.data;
}

void FillIn(const KeyOrigin& origin, int count, WalkFindings* findings) {
  const KeyFacts facts = FactsOf(origin, count);
  findings->uniqueness = facts.uniqueness;
  findings->table = TableName(origin.table);
  findings->unique_columns = facts.unique_columns != nullptr ? facts.unique_columns : "";
  findings->nullable = facts.nullable != nullptr ? facts.nullable : "";
  findings->nullable_count = facts.nullable_count;
  findings->takes_concurrently = get_rel_relkind(origin.table) != RELKIND_PARTITIONED_TABLE;
  findings->has_index = facts.has_index;
  if (get_rel_relkind(origin.table) != RELKIND_FOREIGN_TABLE) {
    findings->key_columns = ColumnNames(origin, count);
  }
}

}  // namespace

WalkFindings CheckWalk(const catalog::BatchDefinition& batch, const Shape& shape) {
  WalkFindings findings;
  const std::vector<int> key = KeyOutputs(shape);
  const int count = static_cast<int>(key.size());
  const std::string text = "SELECT *" + FromSource(batch.source, shape) + InOrder(shape, false) +
                           " LIMIT " + std::to_string(batch.batch_size);
  const pg::TextContext context(text.c_str(), "source");
  WalkPlanning planning(text.c_str(), SortsOnlyIfItMust());
  pg::Call([&] {
    PlannedStmt* plan = PlanWalk(text.c_str());
    Query* query = AnalyzeSource(batch.source.c_str());
    findings.has_limit = query->limitCount != nullptr || query->limitOffset != nullptr;
    findings.has_order = HasOwnOrder(query, key, shape.descending);
    // What shards return is in order and cut, and merged by a sort.
    const Plan* sort = ReadsElsewhere(plan) ? nullptr : SortOf(plan->planTree);
    if (sort != nullptr) {
      findings.sorts = IsA(sort, Sort) ? Sorting::kAll : Sorting::kGroups;
      // What is sorted may be fewer rows than come of it, as one side of a join.
      const Plan* all = outerPlan(plan->planTree);
      findings.sorted_rows = std::max(sort->plan_rows, all != nullptr ? all->plan_rows : 0);
      findings.plan = PlanText(plan, text.c_str());
    }
    query = linitial_node(Query, pg_rewrite_query(query));
    const KeyOrigin origin = OriginOf(query, key.data(), count);
    if (OidIsValid(origin.table)) {
      FillIn(origin, count, &findings);
    }
  });
  return findings;
}

bool KeyMayBeNull(const catalog::BatchDefinition& batch, const Shape& shape) {
  const std::vector<int> key = KeyOutputs(shape);
  const int count = static_cast<int>(key.size());
  return pg::Call([&] {
    Query* query = AnalyzeSource(batch.source.c_str());
    const KeyOrigin origin =
        OriginOf(linitial_node(Query, pg_rewrite_query(query)), key.data(), count);
    if (!OidIsValid(origin.table) || !origin.is_one_table) {
      return true;
    }
    const KeyFacts facts = FactsOf(origin, count);
    return !facts.knows_nulls || facts.nullable_count > 0;
  });
}

}  // namespace ratchet::batch
