#include "batch/plan_parts.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace ratchet::batch {
namespace {

bool HasForeignNode(const Plan* plan);

bool AnyHasForeignNode(const List* plans) {
  ListCell* cell;
  foreach (cell, plans) {
    if (HasForeignNode(static_cast<const Plan*>(lfirst(cell)))) {
      return true;
    }
  }
  return false;
}

// Those of subqueries that are not part of the tree, of CTEs and of initPlans, are in the
// statement's list.
bool HasForeignNode(const Plan* plan) {
  if (plan == nullptr) {
    return false;
  }
  switch (nodeTag(plan)) {
    case T_CustomScan:
      return true;
    case T_Append:
      return AnyHasForeignNode(reinterpret_cast<const Append*>(plan)->appendplans);
    case T_MergeAppend:
      return AnyHasForeignNode(reinterpret_cast<const MergeAppend*>(plan)->mergeplans);
    case T_BitmapAnd:
      return AnyHasForeignNode(reinterpret_cast<const BitmapAnd*>(plan)->bitmapplans);
    case T_BitmapOr:
      return AnyHasForeignNode(reinterpret_cast<const BitmapOr*>(plan)->bitmapplans);
    case T_SubqueryScan:
      return HasForeignNode(reinterpret_cast<const SubqueryScan*>(plan)->subplan);
    default:
      return HasForeignNode(plan->lefttree) || HasForeignNode(plan->righttree);
  }
}

bool IsStoredElsewhere(Oid table) {
  HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(row)) {
    return false;  // dropped: whoever uses the plan finds that out
  }
  const auto* relation = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
  // A partitioned table has none, or that of the partitions to come.
  const bool elsewhere =
      RELKIND_HAS_TABLE_AM(relation->relkind) && relation->relam != HEAP_TABLE_AM_OID;
  ReleaseSysCache(row);
  return elsewhere;
}

}  // namespace

bool IsAllOurs(const PlannedStmt* plan) {
  if (plan->commandType == CMD_UTILITY) {
    return true;  // has no plan: what it executes is planned then
  }
  if (HasForeignNode(plan->planTree) || AnyHasForeignNode(plan->subplans)) {
    return false;
  }
  ListCell* cell;
  foreach (cell, plan->rtable) {
    const auto* entry = lfirst_node(RangeTblEntry, cell);
    if (entry->rtekind == RTE_RELATION && IsStoredElsewhere(entry->relid)) {
      return false;
    }
  }
  return true;
}

}  // namespace ratchet::batch
