// What differs between the versions of PostgreSQL that we build on.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "catalog/pg_namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/appendinfo.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "replication/slot.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
}

#include <cstdint>

// Since 18 a library says its name and version, which pg_get_loaded_modules() shows.
// PG_MODULE_MAGIC leaves the version out, of which clang warns.
#if PG_VERSION_NUM >= 180000
#define RATCHET_MODULE_MAGIC(version_text) \
  PG_MODULE_MAGIC_EXT(.name = "pg_ratchet", .version = (version_text))
#else
#define RATCHET_MODULE_MAGIC(version_text) PG_MODULE_MAGIC
#endif

namespace ratchet::pg {

// Which cache a callback of CacheRegisterSyscacheCallback is told of.
using SyscacheCallbackId = int;

// Whether `member` may SET ROLE to `role`. May raise an error: for use inside pg::Call.
inline bool MaySetRole(Oid member, Oid role) {
#if PG_VERSION_NUM >= 160000
  return member_can_set_role(member, role);
#else
  return is_member_of_role(member, role);
#endif
}

// A range of these bounds, as they are. May raise an error: for use inside pg::Call.
inline RangeType* SerializeRange(TypeCacheEntry* type, RangeBound* lower, RangeBound* upper,
                                 bool empty) {
#if PG_VERSION_NUM >= 160000
  return range_serialize(type, lower, upper, empty, nullptr);
#else
  return range_serialize(type, lower, upper, empty);
#endif
}

// The role as which this session has logged in, and to which SET SESSION AUTHORIZATION DEFAULT
// leads back.
inline Oid AuthenticatedRole() {
#if PG_VERSION_NUM >= 170000
  return GetAuthenticatedUserId();
#else
  return MyProc->roleId;
#endif
}

// Whether `role` may connect to the database. May raise an error: for use inside pg::Call.
inline bool MayConnect(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(DatabaseRelationId, database, role, ACL_CONNECT) == ACLCHECK_OK;
#else
  return pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

// Whether `role` may use the schema. May raise an error: for use inside pg::Call.
inline bool MayUseSchema(Oid schema, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK;
#else
  return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

// Whether `role` owns the database. May raise an error: for use inside pg::Call.
inline bool OwnsDatabase(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(DatabaseRelationId, database, role);
#else
  return pg_database_ownercheck(database, role);
#endif
}
inline bool OwnsDatabase(Oid role) { return OwnsDatabase(MyDatabaseId, role); }

// Where this process is in ProcGlobal->allProcs.
inline int MyPlaceInAllProcs() {
#if PG_VERSION_NUM >= 170000
  return MyProcNumber;
#else
  return MyProc->pgprocno;
#endif
}

// Whether the transaction is one of VACUUM or CREATE INDEX CONCURRENTLY, which write no rows. May
// raise an error: for use inside pg::Call.
inline bool IsVacuum(const VirtualTransactionId& transaction) {
  // The process may be in its next transaction already, and have prepared this one.
#if PG_VERSION_NUM >= 170000
  const PGPROC* process = ProcNumberGetProc(transaction.procNumber);
  const bool is_in_it = process != nullptr && process->vxid.lxid == transaction.localTransactionId;
#else
  const PGPROC* process = BackendIdGetProc(transaction.backendId);
  const bool is_in_it = process != nullptr && process->lxid == transaction.localTransactionId;
#endif
  return is_in_it && (process->statusFlags & (PROC_IN_VACUUM | PROC_IN_SAFE_IC)) != 0;
}

// The transaction that holds or awaits a lock.
inline VirtualTransactionId HolderOf(const LockInstanceData& lock) {
#if PG_VERSION_NUM >= 170000
  return lock.vxid;
#else
  return {lock.backend, lock.lxid};
#endif
}

// Keeps transaction_timeout, which is new in 17 and ends the session, from this process, which is
// about to connect: what the database sets holds from then on.
inline void IgnoreTransactionTimeout() {
#if PG_VERSION_NUM >= 170000
  SetConfigOption("transaction_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
#endif
}

// Drops the session's temporary replication slots.
inline void DropTemporarySlots() {
#if PG_VERSION_NUM >= 170000
  ReplicationSlotCleanup(false);
#else
  ReplicationSlotCleanup();
#endif
}

inline bool HoldsLock(const LOCKTAG& tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
  return LockHeldByMe(&tag, mode, false);
#else
  return LockHeldByMe(&tag, mode);
#endif
}

// Takes the lock for the session if it is free and there is memory for it. Raises no error.
inline bool TakeSessionLockIfFree(const LOCKTAG& tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 180000
  return LockAcquireExtended(&tag, mode, true, true, false, nullptr, false) !=
         LOCKACQUIRE_NOT_AVAIL;
#else
  return LockAcquireExtended(&tag, mode, true, true, false, nullptr) != LOCKACQUIRE_NOT_AVAIL;
#endif
}

// Whether `role` owns the table. May raise an error: for use inside pg::Call.
inline bool OwnsTable(Oid table, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, table, role);
#else
  return pg_class_ownercheck(table, role);
#endif
}

// Whether `role` may VACUUM and ANALYZE the relation. May raise an error: for use inside pg::Call.
inline bool MayVacuum(Oid relation, Oid role) {
  if (OwnsDatabase(role) && !IsSharedRelation(relation)) {
    return true;
  }
#if PG_VERSION_NUM >= 170000
  return pg_class_aclcheck(relation, role, ACL_MAINTAIN) == ACLCHECK_OK;
#else
  return OwnsTable(relation, role);
#endif
}

// Whether `role` may call the function. May raise an error: for use inside pg::Call.
inline bool MayExecute(Oid function, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
  return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

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

// Rows of the table that this process has inserted, updated and deleted, and that the server's
// statistics have not heard of yet. Not for use in a transaction that has changed the table.
inline std::int64_t UnreportedRows(Oid table) {
  PgStat_TableStatus* status = find_tabstat_entry(table);
  if (status == nullptr) {
    return 0;
  }
#if PG_VERSION_NUM >= 160000
  const PgStat_TableCounts& counts = status->counts;
  const std::int64_t rows = counts.tuples_inserted + counts.tuples_updated + counts.tuples_deleted;
#if PG_VERSION_NUM >= 170000
  // A copy, and in a walk the memory at hand is that of the process. In 16 it is the server's own.
  pfree(status);
#endif
  return rows;
#else
  const PgStat_TableCounts& counts = status->t_counts;
  return counts.t_tuples_inserted + counts.t_tuples_updated + counts.t_tuples_deleted;
#endif
}

// Whether the transaction has given the table another file.
inline bool HasNewFile(Relation table) {
#if PG_VERSION_NUM >= 160000
  return table->rd_firstRelfilelocatorSubid != InvalidSubTransactionId;
#else
  return table->rd_firstRelfilenodeSubid != InvalidSubTransactionId;
#endif
}

// What an update has left to do: indexes that only summarize pages (BRIN) are told since 16
// although the new version stays in the chain of the old one.
enum class IndexesToWrite { kNone, kSummaries, kAll };
inline IndexesToWrite UpdateHeap(Relation table, ItemPointer tid, HeapTuple tuple) {
#if PG_VERSION_NUM >= 160000
  TU_UpdateIndexes left = TU_None;
  simple_heap_update(table, tid, tuple, &left);
  return left == TU_None          ? IndexesToWrite::kNone
         : left == TU_Summarizing ? IndexesToWrite::kSummaries
                                  : IndexesToWrite::kAll;
#else
  simple_heap_update(table, tid, tuple);
  return HeapTupleIsHeapOnly(tuple) ? IndexesToWrite::kNone : IndexesToWrite::kAll;
#endif
}

inline bool IsSummary(const IndexInfo* index) {
#if PG_VERSION_NUM >= 160000
  return index->ii_Summarizing;
#else
  static_cast<void>(index);
  return false;
#endif
}

// Where collations and databases keep the locale of a provider that is not libc, and rules that are
// added to it; 0: nowhere.
#if PG_VERSION_NUM >= 170000
constexpr AttrNumber kLocaleOfCollation = Anum_pg_collation_colllocale;
constexpr AttrNumber kLocaleOfDatabase = Anum_pg_database_datlocale;
#else
constexpr AttrNumber kLocaleOfCollation = Anum_pg_collation_colliculocale;
constexpr AttrNumber kLocaleOfDatabase = Anum_pg_database_daticulocale;
#endif
#if PG_VERSION_NUM >= 160000
constexpr AttrNumber kRulesOfCollation = Anum_pg_collation_collicurules;
constexpr AttrNumber kRulesOfDatabase = Anum_pg_database_daticurules;
#else
constexpr AttrNumber kRulesOfCollation = 0;
constexpr AttrNumber kRulesOfDatabase = 0;
#endif

// Whether `role` may read the table, or some of its columns. May raise an error: for use inside
// pg::Call.
inline bool MayRead(Oid table, Oid role) {
  return pg_class_aclcheck(table, role, ACL_SELECT) == ACLCHECK_OK ||
         pg_attribute_aclcheck_all(table, role, ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
}

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

}  // namespace ratchet::pg
