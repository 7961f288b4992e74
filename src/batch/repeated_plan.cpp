#include "batch/repeated_plan.h"

#include "pg/permission_hook.h"

extern "C" {
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace ratchet::batch {
namespace {

bool ForgetsEachItem(const Plan* plan);

bool AllForget(const List* plans) {
  ListCell* cell;
  foreach (cell, plans) {
    if (!ForgetsEachItem(static_cast<const Plan*>(lfirst(cell)))) {
      return false;
    }
  }
  return true;
}

// A node that keeps rows (Sort, Hash, Material, Memoize, a scan of a function, ...) does not know
// that a parameter of the statement has changed; nor does an Append that has pruned partitions by
// it.
bool ForgetsEachItem(const Plan* plan) {
  if (plan == nullptr) {
    return true;
  }
  if (plan->initPlan != nullptr) {
    return false;
  }
  switch (nodeTag(plan)) {
    case T_Result:
    case T_ProjectSet:
    case T_SeqScan:
    case T_IndexScan:
    case T_IndexOnlyScan:
    case T_BitmapHeapScan:
    case T_BitmapIndexScan:
    case T_TidScan:
    case T_TidRangeScan:
    case T_ValuesScan:
    case T_NestLoop:
    case T_Limit:
      return ForgetsEachItem(plan->lefttree) && ForgetsEachItem(plan->righttree);
    case T_SubqueryScan:
      return ForgetsEachItem(reinterpret_cast<const SubqueryScan*>(plan)->subplan);
    case T_BitmapAnd:
      return AllForget(reinterpret_cast<const BitmapAnd*>(plan)->bitmapplans);
    case T_BitmapOr:
      return AllForget(reinterpret_cast<const BitmapOr*>(plan)->bitmapplans);
    default:
      return false;
  }
}

bool IsRepeatable(const PlannedStmt* statement) {
  if (statement->utilityStmt != nullptr || statement->hasModifyingCTE ||
      statement->subplans != nullptr || statement->rowMarks != nullptr ||
      statement->parallelModeNeeded) {
    return false;
  }
  const Plan* plan = statement->planTree;
  return IsA(plan, ModifyTable) ? plan->initPlan == nullptr && ForgetsEachItem(plan->lefttree)
                                : statement->commandType == CMD_SELECT && ForgetsEachItem(plan);
}

// Of a plain table, without triggers that get the changed rows as a table.
bool IsRepeatable(const ModifyTableState* state) {
  if (state->mt_transition_capture != nullptr) {
    return false;
  }
  for (int i = 0; i < state->mt_nrels; i++) {
    const ResultRelInfo& target = state->resultRelInfo[i];
    if (target.ri_FdwRoutine != nullptr ||
        target.ri_RelationDesc->rd_rel->relkind != RELKIND_RELATION) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool ExecutionIsWatched() {
  return ExecutorStart_hook != nullptr || ExecutorRun_hook != nullptr ||
         ExecutorFinish_hook != nullptr || ExecutorEnd_hook != nullptr ||
         pg::OthersHavePermissionHook();
}

bool RepeatedPlan::Start(CachedPlanSource* source, ParamListInfo parameters) {
  plan_ = GetCachedPlan(source, nullptr, CurrentResourceOwner, nullptr);
  auto* statement = linitial_node(PlannedStmt, plan_->stmt_list);
  if (list_length(plan_->stmt_list) != 1 || !IsRepeatable(statement)) {
    ReleaseCachedPlan(plan_, CurrentResourceOwner);
    return false;
  }
  PushActiveSnapshot(GetTransactionSnapshot());
  query_ = CreateQueryDesc(statement, source->query_string, GetActiveSnapshot(), InvalidSnapshot,
                           None_Receiver, parameters, nullptr, 0);
  changes_ = IsA(statement->planTree, ModifyTable);
  // Each item has trigger events of its own. Only the setting up of those triggers that make it
  // impossible wants to be within a query.
  AfterTriggerBeginQuery();
  ExecutorStart(query_, EXEC_FLAG_SKIP_TRIGGERS);
  AfterTriggerEndQuery(query_->estate);
  if (changes_ && !IsRepeatable(castNode(ModifyTableState, query_->planstate))) {
    (void)End();
    return false;
  }
  return true;
}

void RepeatedPlan::Rescan() {
  if (!changes_) {
    ExecReScan(query_->planstate);
    return;
  }
  auto* modify = castNode(ModifyTableState, query_->planstate);
  ExecReScan(outerPlanState(modify));
  modify->mt_done = false;
  modify->fireBSTriggers = true;
}

void RepeatedPlan::Execute() {
  EState* state = query_->estate;
  MemoryContext old = MemoryContextSwitchTo(state->es_query_cxt);
  CHECK_FOR_INTERRUPTS();
  if (!first_) {
    // Ours alone: the snapshot of the slice, which from here on sees the items before.
    CommandCounterIncrement();
    query_->snapshot->curcid = GetCurrentCommandId(changes_);
    state->es_output_cid = query_->snapshot->curcid;
    Rescan();
  }
  first_ = false;
  AfterTriggerBeginQuery();
  // Not in the condition: TupIsNull is a macro that looks twice.
  TupleTableSlot* row = ExecProcNode(query_->planstate);
  while (!TupIsNull(row)) {
    ResetPerTupleExprContext(state);
    row = ExecProcNode(query_->planstate);
  }
  AfterTriggerEndQuery(state);
  ResetPerTupleExprContext(state);
  MemoryContextSwitchTo(old);
}

std::int64_t RepeatedPlan::End() {
  const auto rows = changes_ ? static_cast<std::int64_t>(query_->estate->es_processed) : 0;
  ExecutorFinish(query_);
  ExecutorEnd(query_);
  FreeQueryDesc(query_);
  PopActiveSnapshot();
  ReleaseCachedPlan(plan_, CurrentResourceOwner);
  CommandCounterIncrement();
  return rows;
}

}  // namespace ratchet::batch
