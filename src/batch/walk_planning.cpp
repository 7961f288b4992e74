#include "batch/walk_planning.h"

#include <algorithm>
#include <limits>

#include "batch/shared_bounds.h"
#include "pg/compat_planner.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
}

namespace ratchet::batch {
namespace {

// Enough for any batch after the planner's guesses about conditions on the key.
constexpr double kManyRows = 1e6;

constinit WalkPlanning* in_force = nullptr;
constinit create_upper_paths_hook_type next_upper_paths = nullptr;
constinit set_rel_pathlist_hook_type next_table_paths = nullptr;

// ---- What a path does. For use inside pg::Call -------------------------------------------------

bool Sorts(const Path* path);

bool AnySorts(const List* paths, const List* order) {
  ListCell* cell;
  foreach (cell, paths) {
    const auto* path = static_cast<const Path*>(lfirst(cell));
    if (Sorts(path) || !pathkeys_contained_in(const_cast<List*>(order), path->pathkeys)) {
      return true;
    }
  }
  return false;
}

// Whether all of its rows are sorted to give the order, following it up from where it is made. What
// is sorted for one row at a time is not in that way, nor are rows sorted that are the same in the
// first columns of the key (IncrementalSort).
bool Sorts(const Path* path) {
  switch (nodeTag(path)) {
    case T_SortPath:
      return true;
    case T_IncrementalSortPath:
      return Sorts(reinterpret_cast<const SortPath*>(path)->subpath);
    case T_ProjectionPath:
      return Sorts(reinterpret_cast<const ProjectionPath*>(path)->subpath);
    case T_ProjectSetPath:
      return Sorts(reinterpret_cast<const ProjectSetPath*>(path)->subpath);
    case T_SubqueryScanPath:
      return Sorts(reinterpret_cast<const SubqueryScanPath*>(path)->subpath);
    case T_MaterialPath:
      return Sorts(reinterpret_cast<const MaterialPath*>(path)->subpath);
    case T_GatherMergePath:
      return Sorts(reinterpret_cast<const GatherMergePath*>(path)->subpath);
    case T_LockRowsPath:
      return Sorts(reinterpret_cast<const LockRowsPath*>(path)->subpath);
    case T_LimitPath:
      return Sorts(reinterpret_cast<const LimitPath*>(path)->subpath);
    case T_GroupPath:
      return Sorts(reinterpret_cast<const GroupPath*>(path)->subpath);
    case T_AggPath:
      return Sorts(reinterpret_cast<const AggPath*>(path)->subpath);
    case T_WindowAggPath:
      return Sorts(reinterpret_cast<const WindowAggPath*>(path)->subpath);
    case T_NestPath:
      return Sorts(reinterpret_cast<const JoinPath*>(path)->outerjoinpath);
    case T_MergePath:
      return reinterpret_cast<const MergePath*>(path)->outersortkeys != NIL ||
             Sorts(reinterpret_cast<const JoinPath*>(path)->outerjoinpath);
    case T_AppendPath:
      return AnySorts(reinterpret_cast<const AppendPath*>(path)->subpaths, path->pathkeys);
    case T_MergeAppendPath:
      return AnySorts(reinterpret_cast<const MergeAppendPath*>(path)->subpaths, path->pathkeys);
    default:
      break;
  }
  const Path* below_unique = pg::BelowUnique(path);
  return below_unique != nullptr && Sorts(below_unique);
}

// ---- What we walk by ---------------------------------------------------------------------------

Relids TablesOf(PlannerInfo* root, const SortGroupClause* clause, List* targets) {
  Node* expression = get_sortgroupclause_expr(const_cast<SortGroupClause*>(clause), targets);
  return pull_varnos(root, expression);
}

bool IsWalkedBy(PlannerInfo* root, const RelOptInfo* table) {
  if (root->parent_root != nullptr || root->parse->sortClause == NIL ||
      root->parse->setOperations != nullptr) {
    return false;
  }
  Index number = table->relid;
  while (root->append_rel_array != nullptr && root->append_rel_array[number] != nullptr) {
    number = root->append_rel_array[number]->parent_relid;
  }
  return bms_is_member(static_cast<int>(number),
                       TablesOf(root, linitial_node(SortGroupClause, root->parse->sortClause),
                                root->processed_tlist));
}

// A server that expects fewer rows than a slice may have makes the same price with the limit and
// without it. It shall have the limit all the same, for its expectations are as wrong as ours: so
// what lacks it becomes dearer than 1 %, which the planner takes for nothing. For use inside
// pg::Call.
void LetServersLimit(const RelOptInfo* ordered) {
  constexpr double kDearer = 1.1;
  ListCell* cell;
  foreach (cell, ordered->pathlist) {
    auto* path = static_cast<Path*>(lfirst(cell));
    const Path* below =
        IsA(path, ProjectionPath) ? reinterpret_cast<const ProjectionPath*>(path)->subpath : path;
    if (IsA(below, ForeignPath)) {
      path->startup_cost *= kDearer;
      path->total_cost *= kDearer;
    }
  }
}

// ---- The planner's hooks -----------------------------------------------------------------------

class Suspended {
 public:
  Suspended() : planning_(in_force) { in_force = nullptr; }
  Suspended(const Suspended&) = delete;
  Suspended& operator=(const Suspended&) = delete;
  ~Suspended() { in_force = planning_; }

 private:
  WalkPlanning* planning_;
};

PlannedStmt* OnPlan(const pg::PlannerArguments& arguments) {
  using Hook = pg::PlannerHook<OnPlan>;
  if (in_force == nullptr || in_force->Plans(arguments.text)) {
    return Hook::Next(arguments);
  }
  // Of a function that is called while our statement is analysed or planned.
  return pg::Entry([&] {
    const Suspended suspended;
    return pg::Call([&] { return Hook::Next(arguments); });
  });
}

void OnUpperPaths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
                  void* extra) {
  if (next_upper_paths != nullptr) {
    next_upper_paths(root, stage, input, output, extra);
  }
  if (in_force != nullptr && stage == UPPERREL_ORDERED && root->parent_root == nullptr) {
    in_force->Choose(root, output);
  }
}

void OnTableInfo(PlannerInfo* root, RelOptInfo* table) {
  if (in_force != nullptr &&
      planner_rt_fetch(table->relid, root)->relkind == RELKIND_FOREIGN_TABLE &&
      IsWalkedBy(root, table)) {
    table->tuples = std::max(table->tuples, kManyRows);
  }
}

void OnTablePaths(PlannerInfo* root, RelOptInfo* table, Index number, RangeTblEntry* entry) {
  if (next_table_paths != nullptr) {
    next_table_paths(root, table, number, entry);
  }
  if (in_force != nullptr) {
    ShareBounds(root, table, entry);
  }
}

// In the processes that plan walks, and not before: behind the hooks of all libraries that are
// loaded at the start.
void InstallHooks() {
  static bool installed = false;
  if (installed) {
    return;
  }
  installed = true;
  pg::PlannerHook<OnPlan>::Install();
  next_upper_paths = create_upper_paths_hook;
  create_upper_paths_hook = OnUpperPaths;
  pg::TableInfoHook<OnTableInfo>::Install();
  next_table_paths = set_rel_pathlist_hook;
  set_rel_pathlist_hook = OnTablePaths;
}

}  // namespace

WalkPlanning::WalkPlanning(const char* text, const policy::SlicesSoFar& seen)
    : text_(text), seen_(seen), outer_(in_force) {
  InstallHooks();
  in_force = this;
}

WalkPlanning::~WalkPlanning() { in_force = outer_; }

// Takes away all paths but the best one that does not sort, or none. For use inside pg::Call.
void WalkPlanning::Choose(PlannerInfo* root, RelOptInfo* ordered) {
  Relids tables = nullptr;
  ListCell* cell;
  foreach (cell, root->parse->sortClause) {
    tables = bms_union(tables,
                       TablesOf(root, lfirst_node(SortGroupClause, cell), root->processed_tlist));
  }
  spans_tables_ = bms_num_members(tables) > 1;
  has_planned_ = true;
  has_other_way_ = false;
  const double slice = root->limit_tuples > 0 ? root->limit_tuples : 1;
  Path* best = nullptr;
  Path* best_sorting = nullptr;
  // What a slice pays before its first row, it pays again and again: an input that is sorted, too.
  const auto cost = [slice](const Path* path) {
    return policy::CostOfSlice({path->startup_cost, path->total_cost, path->rows}, slice,
                               std::max(path->rows, policy::FewestRows(slice)));
  };
  const auto better = [cost](const Path* path, const Path* than) {
    return than == nullptr || pg::DisabledNodes(path) < pg::DisabledNodes(than) ||
           (pg::DisabledNodes(path) == pg::DisabledNodes(than) && cost(path) < cost(than));
  };
  foreach (cell, ordered->pathlist) {
    auto* path = static_cast<Path*>(lfirst(cell));
    const bool sorts = Sorts(path);
    Path** champion = sorts ? &best_sorting : &best;
    if (better(path, *champion)) {
      *champion = path;
    }
  }
  if (best == nullptr || best_sorting == nullptr ||
      pg::DisabledNodes(best) > pg::DisabledNodes(best_sorting)) {
    if (best != nullptr && best_sorting == nullptr) {
      ordered->pathlist = lappend(NIL, best);
    }
    LetServersLimit(ordered);
    return;
  }
  ordered_ = {best->startup_cost, best->total_cost, best->rows};
  sorted_cost_ = policy::CostOfSlice(
      {best_sorting->startup_cost, best_sorting->total_cost, best_sorting->rows}, slice,
      best_sorting->rows);
  if (policy::PrefersOrder(ordered_, sorted_cost_, slice, seen_)) {
    ordered->pathlist = lappend(NIL, best);
    LetServersLimit(ordered);
  } else {
    has_other_way_ = true;
  }
}

policy::SlicesSoFar SortsOnlyIfItMust() {
  policy::SlicesSoFar seen;
  seen.sorting_cost = std::numeric_limits<double>::infinity();
  return seen;
}

}  // namespace ratchet::batch
