// What differs between the versions of PostgreSQL where statements are planned and executed, and in
// what the server shows of sessions.
#pragma once

#include "pg/server.h"

extern "C" {
#include "catalog/pg_class.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/appendinfo.h"
#if PG_VERSION_NUM >= 190000
#include "optimizer/pathnode.h"
#endif
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "parser/parse_relation.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
}

#include <climits>  // of FETCH_ALL
#include <cstdint>

namespace ratchet::pg {

// query_tree_walker() and expression_tree_walker(): before 16 a walker had no prototype.
using Walker = bool (*)(Node*, void*);
inline bool WalkBelow(Node* node, Walker walker, void* context) {
#if PG_VERSION_NUM >= 160000
  const auto callback = walker;
#else
  const auto callback = reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker));
#endif
  return IsA(node, Query) ? query_tree_walker(reinterpret_cast<Query*>(node), callback, context, 0)
                          : expression_tree_walker(node, callback, context);
}

// Raises an error when the current user lacks a privilege on a table of the plan: for use inside
// pg::Call.
inline void RequirePlan(PlannedStmt* plan) {
#if PG_VERSION_NUM >= 160000
  ExecCheckPermissions(plan->rtable, plan->permInfos, true);
#else
  ExecCheckRTPerms(plan->rtable, true);
#endif
}

// What the grouped columns of a query stand for, if `entry` is the one that such columns refer to:
// since 18 they are columns of an entry of their own; before, they are the expressions.
inline List* GroupedExpressions(const RangeTblEntry* entry) {
#if PG_VERSION_NUM >= 180000
  return entry->rtekind == RTE_GROUP ? entry->groupexprs : NIL;
#else
  static_cast<void>(entry);
  return NIL;
#endif
}

// Runs the portal to its end at top level. May raise an error: for use inside pg::Call.
inline void RunPortalOnce(Portal portal, DestReceiver* receiver, QueryCompletion* completion) {
#if PG_VERSION_NUM >= 180000
  PortalRun(portal, FETCH_ALL, true, receiver, receiver, completion);
#else
  PortalRun(portal, FETCH_ALL, true, true, receiver, receiver, completion);
#endif
}

// The first `most` rows of a query that is run once. May raise an error: for use inside pg::Call.
inline void RunExecutor(QueryDesc* query, std::uint64_t most) {
#if PG_VERSION_NUM >= 180000
  ExecutorRun(query, ForwardScanDirection, most);
#else
  ExecutorRun(query, ForwardScanDirection, most, true);
#endif
}

// How much of what somebody has switched off the path would use: since 18 that is not in its cost.
inline int DisabledNodes(const Path* path) {
#if PG_VERSION_NUM >= 180000
  return path->disabled_nodes;
#else
  static_cast<void>(path);
  return 0;
#endif
}

// ROW(...) < ROW(...) or >, without the rows that are equal.
inline bool IsStrict(const RowCompareExpr* compare) {
#if PG_VERSION_NUM >= 180000
  return compare->cmptype == COMPARE_LT || compare->cmptype == COMPARE_GT;
#else
  return compare->rctype == ROWCOMPARE_LT || compare->rctype == ROWCOMPARE_GT;
#endif
}

// Whether the member of a class of equal columns may be null in the rows that are equal, by an
// outer join. Since 16 such a column is another one, of several relations.
inline bool MayBeNulled(const EquivalenceMember* member) {
#if PG_VERSION_NUM >= 160000
  static_cast<void>(member);
  return false;
#else
  return !bms_is_empty(member->em_nullable_relids);
#endif
}

// Whether it says something of an outer join's rows only. Since 16 there are no such classes.
inline bool IsBelowOuterJoin(const EquivalenceClass* equals) {
#if PG_VERSION_NUM >= 160000
  static_cast<void>(equals);
  return false;
#else
  return equals->ec_below_outer_join;
#endif
}

// Of what the planner's lists of outer joins contain.
inline const RestrictInfo* OuterJoinClause(const void* entry) {
#if PG_VERSION_NUM >= 160000
  return static_cast<const OuterJoinClauseInfo*>(entry)->rinfo;
#else
  return static_cast<const RestrictInfo*>(entry);
#endif
}

// The clause about a partitioned table as one about its partition; about any other table itself.
inline Expr* ForChild(PlannerInfo* root, Expr* clause, RelOptInfo* table) {
  if (table->top_parent_relids == nullptr) {
    return clause;
  }
#if PG_VERSION_NUM >= 160000
  return reinterpret_cast<Expr*>(adjust_appendrel_attrs_multilevel(
      root, reinterpret_cast<Node*>(clause), table, table->top_parent));
#else
  return reinterpret_cast<Expr*>(adjust_appendrel_attrs_multilevel(
      root, reinterpret_cast<Node*>(clause), table->relids, table->top_parent_relids));
#endif
}

// The plan of a query. May raise an error: for use inside pg::Call.
inline PlannedStmt* PlanQuery(Query* query, const char* text, int options, ParamListInfo values) {
#if PG_VERSION_NUM >= 190000
  return pg_plan_query(query, text, options, values, nullptr);
#else
  return pg_plan_query(query, text, options, values);
#endif
}

// Below what is made unique, if it is sorted for that or by an index; else null.
inline const Path* BelowUnique(const Path* path) {
#if PG_VERSION_NUM >= 190000
  return IsA(path, UniquePath) ? reinterpret_cast<const UniquePath*>(path)->subpath : nullptr;
#else
  return IsA(path, UniquePath)        ? reinterpret_cast<const UniquePath*>(path)->subpath
         : IsA(path, UpperUniquePath) ? reinterpret_cast<const UpperUniquePath*>(path)->subpath
                                      : nullptr;
#endif
}

// A planner's hook. It plans by Next(), of which it is given the arguments as they are.
struct PlannerArguments {
  Query* query;
  const char* text;
  int options;
  ParamListInfo values;
  ExplainState* explain;  // null before 19
};
template <PlannedStmt* (*Plan)(const PlannerArguments& arguments)>
class PlannerHook {
 public:
  static void Install() {
    next_ = planner_hook != nullptr ? planner_hook : standard_planner;
    planner_hook = OnPlan;
  }

#if PG_VERSION_NUM >= 190000
  static PlannedStmt* Next(const PlannerArguments& to) {
    return next_(to.query, to.text, to.options, to.values, to.explain);
  }
#else
  static PlannedStmt* Next(const PlannerArguments& to) {
    return next_(to.query, to.text, to.options, to.values);
  }
#endif

 private:
#if PG_VERSION_NUM >= 190000
  static PlannedStmt* OnPlan(Query* query, const char* text, int options, ParamListInfo values,
                             ExplainState* explain) {
    return Plan({query, text, options, values, explain});
  }
#else
  static PlannedStmt* OnPlan(Query* query, const char* text, int options, ParamListInfo values) {
    return Plan({query, text, options, values, nullptr});
  }
#endif

  static inline planner_hook_type next_ = nullptr;
};

// Has `Learn` told of each table of a statement, after the planner has read what the catalogs say
// of it, and before it makes paths.
template <void (*Learn)(PlannerInfo* root, RelOptInfo* table)>
class TableInfoHook {
 public:
#if PG_VERSION_NUM >= 190000
  static void Install() {
    next_ = build_simple_rel_hook;
    build_simple_rel_hook = OnRelation;
  }

 private:
  static void OnRelation(PlannerInfo* root, RelOptInfo* relation, RangeTblEntry* entry) {
    if (next_ != nullptr) {
      next_(root, relation, entry);
    }
    if (entry->rtekind == RTE_RELATION) {
      Learn(root, relation);
    }
  }

  static inline build_simple_rel_hook_type next_ = nullptr;
#else
  static void Install() {
    next_ = get_relation_info_hook;
    get_relation_info_hook = OnTable;
  }

 private:
  static void OnTable(PlannerInfo* root, Oid id, bool is_parent, RelOptInfo* table) {
    if (next_ != nullptr) {
      next_(root, id, is_parent, table);
    }
    Learn(root, table);
  }

  static inline get_relation_info_hook_type next_ = nullptr;
#endif
};

// What a statement does with a relation, and as whom: the role that needs the privileges.
struct RelationUse {
  Oid relation;
  char kind;
  AclMode privileges;
  Oid role;
};

// Has `MayUse` asked for each relation of each statement that is executed, after the server has
// found that the role has the privileges. It raises an error or returns false, as `raises` says.
template <bool (*MayUse)(const RelationUse& use, bool raises)>
class RelationUseHook {
 public:
  static void Install() {
    previous_ = ExecutorCheckPerms_hook;
    ExecutorCheckPerms_hook = Check;
  }

 private:
#if PG_VERSION_NUM >= 160000
  static bool Check(List* range_table, List* permissions, bool raises) {
    return AreUsable(range_table, permissions, raises) &&
           (previous_ == nullptr || previous_(range_table, permissions, raises));
  }
#else
  static bool Check(List* range_table, bool raises) {
    return AreUsable(range_table, nullptr, raises) &&
           (previous_ == nullptr || previous_(range_table, raises));
  }
#endif

  static bool AreUsable(List* range_table, List* permissions, bool raises) {
    ListCell* cell;
    foreach (cell, range_table) {
      auto* entry = lfirst_node(RangeTblEntry, cell);
      if (entry->rtekind == RTE_RELATION && !IsUsable(entry, permissions, raises)) {
        return false;
      }
    }
    return true;
  }

  static bool IsUsable(RangeTblEntry* entry, List* permissions, bool raises) {
#if PG_VERSION_NUM >= 160000
    if (entry->perminfoindex == 0) {
      return true;
    }
    const RTEPermissionInfo* needs = getRTEPermissionInfo(permissions, entry);
#else
    static_cast<void>(permissions);
    const RangeTblEntry* needs = entry;
#endif
    const Oid role = OidIsValid(needs->checkAsUser) ? needs->checkAsUser : GetUserId();
    return MayUse({entry->relid, entry->relkind, needs->requiredPerms, role}, raises);
  }

  static inline ExecutorCheckPerms_hook_type previous_ = nullptr;
};

// What the server shows of the i-th session, from 1. For use inside pg::Call.
inline const LocalPgBackendStatus* LocalBackend(int i) {
#if PG_VERSION_NUM >= 160000
  return pgstat_get_local_beentry_by_index(i);
#else
  return pgstat_fetch_stat_local_beentry(i);
#endif
}

}  // namespace ratchet::pg
