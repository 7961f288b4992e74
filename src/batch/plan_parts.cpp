#include "batch/plan_parts.h"

#include "pg/table_storage.h"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace ratchet::batch {
namespace {

using Is = bool (*)(const CustomScan* node);

bool HasNode(const Plan* plan, Is is);

bool AnyHasNode(const List* plans, Is is) {
  ListCell* cell;
  foreach (cell, plans) {
    if (HasNode(static_cast<const Plan*>(lfirst(cell)), is)) {
      return true;
    }
  }
  return false;
}

// A node of an extension that is so. Those of subqueries that are not part of the tree, of CTEs and
// of initPlans, are in the statement's list.
bool HasNode(const Plan* plan, Is is) {
  if (plan == nullptr) {
    return false;
  }
  switch (nodeTag(plan)) {
    case T_CustomScan: {
      const auto* node = reinterpret_cast<const CustomScan*>(plan);
      if (is(node) || AnyHasNode(node->custom_plans, is)) {
        return true;
      }
      break;
    }
    case T_Append:
      return AnyHasNode(reinterpret_cast<const Append*>(plan)->appendplans, is);
    case T_MergeAppend:
      return AnyHasNode(reinterpret_cast<const MergeAppend*>(plan)->mergeplans, is);
    case T_BitmapAnd:
      return AnyHasNode(reinterpret_cast<const BitmapAnd*>(plan)->bitmapplans, is);
    case T_BitmapOr:
      return AnyHasNode(reinterpret_cast<const BitmapOr*>(plan)->bitmapplans, is);
    case T_SubqueryScan:
      return HasNode(reinterpret_cast<const SubqueryScan*>(plan)->subplan, is);
    default:
      break;
  }
  return HasNode(plan->lefttree, is) || HasNode(plan->righttree, is);
}

bool HasNode(const PlannedStmt* plan, Is is) {
  return HasNode(plan->planTree, is) || AnyHasNode(plan->subplans, is);
}

}  // namespace

bool IsAllOurs(const PlannedStmt* plan) {
  if (plan->commandType == CMD_UTILITY) {
    return true;  // has no plan: what it executes is planned then
  }
  if (HasNode(plan, [](const CustomScan*) { return true; })) {
    return false;
  }
  ListCell* cell;
  foreach (cell, plan->rtable) {
    const auto* entry = lfirst_node(RangeTblEntry, cell);
    if (entry->rtekind == RTE_RELATION && pg::IsStoredByExtension(entry->relid)) {
      return false;
    }
  }
  return true;
}

bool ReadsElsewhere(const PlannedStmt* plan) {
  return HasNode(plan, [](const CustomScan* node) {
    return node->scan.scanrelid == 0 && node->custom_plans == NIL &&
           node->scan.plan.lefttree == nullptr;
  });
}

}  // namespace ratchet::batch
