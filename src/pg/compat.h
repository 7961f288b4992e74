// What differs between the versions of PostgreSQL that we build on; of planning and executing, it
// is in compat_planner.h.
#pragma once

#include "pg/compat_planner.h"
#include "pg/server.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "replication/origin.h"
#include "replication/slot.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
}

#include <csignal>
#include <cstdint>

#include <unistd.h>

// Since 18 a library says its name and version, which pg_get_loaded_modules() shows.
// PG_MODULE_MAGIC leaves the version out, of which clang warns.
#if PG_VERSION_NUM >= 180000
#define RATCHET_MODULE_MAGIC(version_text) \
  PG_MODULE_MAGIC_EXT(.name = "pg_ratchet", .version = (version_text))
#else
#define RATCHET_MODULE_MAGIC(version_text) PG_MODULE_MAGIC
#endif

namespace ratchet::pg {

// A cache of the server's catalogs, and which of them a callback of CacheRegisterSyscacheCallback
// is told of.
#if PG_VERSION_NUM >= 190000
using SyscacheId = SysCacheIdentifier;
#else
using SyscacheId = int;
#endif

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

// Whether the process of that number executes REPACK, which writes no rows that were not there.
// What the server shows of all processes is one array, and MyBEEntry our place in it.
#if PG_VERSION_NUM >= 190000
inline bool IsRepacking(ProcNumber process) {
  const volatile PgBackendStatus* shown = MyBEEntry - MyProcNumber + process;
  return shown->st_progress_command == PROGRESS_COMMAND_REPACK;
}
#endif

// Whether the transaction is one of VACUUM, CREATE INDEX CONCURRENTLY or, since 19, REPACK, which
// write no rows. May raise an error: for use inside pg::Call.
inline bool IsMaintenance(const VirtualTransactionId& transaction) {
  // The process may be in its next transaction already, and have prepared this one.
#if PG_VERSION_NUM >= 170000
  const PGPROC* process = ProcNumberGetProc(transaction.procNumber);
  const bool is_in_it = process != nullptr && process->vxid.lxid == transaction.localTransactionId;
#else
  const PGPROC* process = BackendIdGetProc(transaction.backendId);
  const bool is_in_it = process != nullptr && process->lxid == transaction.localTransactionId;
#endif
#if PG_VERSION_NUM >= 190000
  if (is_in_it && IsRepacking(transaction.procNumber)) {
    return true;
  }
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

// Deletes what the server would prune in a page that it reads for an update. May raise an error:
// for use inside pg::Call.
inline void PrunePage(Relation table, Buffer buffer) {
#if PG_VERSION_NUM >= 190000
  Buffer visibility = InvalidBuffer;
  heap_page_prune_opt(table, buffer, &visibility, false);
  if (BufferIsValid(visibility)) {
    ReleaseBuffer(visibility);
  }
#else
  heap_page_prune_opt(table, buffer);
#endif
}

// heap_delete() of the version that is there now, by the current command. May raise an error: for
// use inside pg::Call.
inline TM_Result DeleteFromHeap(Relation table, ItemPointer tid, bool wait,
                                TM_FailureData* failure) {
  const CommandId command = GetCurrentCommandId(true);
#if PG_VERSION_NUM >= 190000
  return heap_delete(table, tid, command, 0, InvalidSnapshot, wait, failure);
#else
  return heap_delete(table, tid, command, InvalidSnapshot, wait, failure, false);
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

// What a signal handler has been told, to hand on to one of the server's: since 19 it knows the
// sender.
#if PG_VERSION_NUM >= 190000
struct Signal {
  int number;
  pg_signal_info sender;
};
inline Signal SignalOf(SIGNAL_ARGS) { return {postgres_signal_arg, *pg_siginfo}; }
inline void Die(const Signal& signal) { die(signal.number, &signal.sender); }
inline void CancelStatement(const Signal& signal) {
  StatementCancelHandler(signal.number, &signal.sender);
}
inline bool IsOwn(const Signal& signal) {
  return static_cast<pid_t>(signal.sender.pid) == MyProcPid;
}
#define RATCHET_SIGNAL ratchet::pg::SignalOf(postgres_signal_arg, pg_siginfo)
#else
struct Signal {
  int number;
  pid_t sender;  // 0: a timer, or not known
};
inline Signal SignalOf(SIGNAL_ARGS) { return {postgres_signal_arg, 0}; }
inline void Die(const Signal& signal) { die(signal.number); }
inline void CancelStatement(const Signal& signal) { StatementCancelHandler(signal.number); }
inline bool IsOwn(const Signal& signal) { return signal.sender == MyProcPid; }
#define RATCHET_SIGNAL ratchet::pg::SignalOf(postgres_signal_arg)
#endif

// The transaction_timeout of the session in milliseconds, whose timer is stopped for the
// transaction that has begun: it would end the process. 0: none. For use inside pg::Call.
inline int TakeTransactionTimeout() {
#if PG_VERSION_NUM >= 170000
  if (get_timeout_active(TRANSACTION_TIMEOUT)) {
    disable_timeout(TRANSACTION_TIMEOUT, false);
  }
  return TransactionTimeout;
#else
  return 0;
#endif
}

// A handler of SIGTERM that hears who has sent it (IsOwn), in every version. It keeps errno.
using TerminateHandler = void (*)(const Signal& signal);
inline TerminateHandler terminate_handler = nullptr;
#if PG_VERSION_NUM >= 190000
inline void OnTerminate(SIGNAL_ARGS) { terminate_handler(RATCHET_SIGNAL); }
inline void HandleTerminate(TerminateHandler handler) {
  terminate_handler = handler;
  pqsignal(SIGTERM, OnTerminate);
}
#else
inline void OnTerminate(int number, siginfo_t* info, void* /*context*/) {
  if (MyProcPid != getpid()) {  // in a child of system(), which the signal has met before its exec
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    return;
  }
  terminate_handler({number, info->si_code == SI_USER ? info->si_pid : 0});
}
inline void HandleTerminate(TerminateHandler handler) {
  terminate_handler = handler;
  struct sigaction action = {};
  action.sa_sigaction = OnTerminate;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGTERM, &action, nullptr);
}
#endif

// From which level on this process writes messages to the server's log.
inline int LogLevel() {
#if PG_VERSION_NUM >= 190000
  return log_min_messages[MyBackendType];
#else
  return log_min_messages;
#endif
}

// CLUSTER or, since 19, REPACK, of which it is a form.
#if PG_VERSION_NUM >= 190000
constexpr NodeTag kRepackStatement = T_RepackStmt;
#else
constexpr NodeTag kRepackStatement = T_ClusterStmt;
#endif

// The table that such a statement names; null: all that were clustered before.
inline RangeVar* RepackedTable(const Node* statement) {
#if PG_VERSION_NUM >= 190000
  const VacuumRelation* named = reinterpret_cast<const RepackStmt*>(statement)->relation;
  return named != nullptr ? named->relation : nullptr;
#else
  return reinterpret_cast<const ClusterStmt*>(statement)->relation;
#endif
}

// Its options.
inline List* RepackOptions(const Node* statement) {
#if PG_VERSION_NUM >= 190000
  return reinterpret_cast<const RepackStmt*>(statement)->params;
#else
  return reinterpret_cast<const ClusterStmt*>(statement)->params;
#endif
}

// WAIT FOR LSN, which lets nobody hold a snapshot.
inline bool IsWaitForLsn(const Node* statement) {
#if PG_VERSION_NUM >= 190000
  return IsA(statement, WaitStmt);
#else
  static_cast<void>(statement);
  return false;
#endif
}

// Whether what this session writes has come from another server.
inline bool WritesForAnother() {
#if PG_VERSION_NUM >= 190000
  return replorigin_xact_state.origin != InvalidReplOriginId;
#else
  return replorigin_session_origin != InvalidRepOriginId;
#endif
}

// Puts the session back into the state in which its writes are its own.
inline void WriteForMyself() {
  replorigin_session_reset();
#if PG_VERSION_NUM >= 190000
  replorigin_xact_clear(true);
#else
  replorigin_session_origin = InvalidRepOriginId;
  replorigin_session_origin_lsn = InvalidXLogRecPtr;
  replorigin_session_origin_timestamp = 0;
#endif
}

// The publications that name the table. May raise an error: for use inside pg::Call.
inline List* PublicationsNaming(Oid table) {
#if PG_VERSION_NUM >= 190000
  return GetRelationIncludedPublications(table);
#else
  return GetRelationPublications(table);
#endif
}

// Those of all tables that leave the table out. May raise an error: for use inside pg::Call.
inline List* PublicationsExcluding(Oid table) {
#if PG_VERSION_NUM >= 190000
  return GetRelationExcludedPublications(table);
#else
  static_cast<void>(table);
  return NIL;
#endif
}

}  // namespace ratchet::pg
