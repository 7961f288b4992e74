#include "api/utility_hook.h"

#include "api/strong_locks.h"
#include "board/database_board.h"
#include "board/process_board.h"
#include "catalog/commit_notice.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"
}

#include <cstring>

namespace ratchet::api {
namespace {

ProcessUtility_hook_type previous_utility = nullptr;
object_access_hook_type previous_object_access = nullptr;

// The databases that this transaction holds: nearly always one.
struct Held {
  Oid database;
  SubTransactionId by;
};
constexpr int kMostHeld = 8;
Held held[kMostHeld];
int held_count = 0;

// How long a statement waits for our processes to leave. The server itself waits for five seconds
// for whoever is connected, and then says so.
constexpr int kWaitForLeavingMs = 4000;
constexpr int kWaitBeforeForceMs = 100;

void ReleaseHeld() {
  while (held_count > 0) {
    board::Release(held[--held_count].database);
  }
}

// What has failed in a subtransaction is not done, however long the transaction goes on.
void AtSubtransactionEnd(SubXactEvent event, SubTransactionId self, SubTransactionId parent,
                         void* /*argument*/) {
  for (int i = held_count; i-- > 0;) {
    if (held[i].by != self) {
      continue;
    }
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
      held[i].by = parent;
    } else if (event == SUBXACT_EVENT_ABORT_SUB) {
      const Oid database = held[i].database;
      held[i] = held[--held_count];
      board::Release(database);
    }
  }
}

void ReleaseAtExit(int /*code*/, Datum /*argument*/) { ReleaseHeld(); }

// Not at the end of the statement: until the commit, the database is there for everybody else.
void ReleaseAtTransactionEnd(XactEvent event, void* /*argument*/) {
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
    ReleaseHeld();
  }
}

// What a statement does for which nobody may be connected to a database.
struct Exclusion {
  const char* database = nullptr;  // null: it does nothing of this kind
  const char* new_name = nullptr;  // of the database that there is afterwards
  bool as_template = false;
  bool in_block = false;  // it can run in a transaction block
};

const DefElem* FindOption(const List* options, const char* name) {
  ListCell* cell;
  foreach (cell, options) {
    const auto* option = lfirst_node(DefElem, cell);
    if (std::strcmp(option->defname, name) == 0) {
      return option;
    }
  }
  return nullptr;
}

Exclusion ExclusionOf(const Node* statement) {
  Exclusion exclusion;
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
      exclusion.database = reinterpret_cast<const DropdbStmt*>(statement)->dbname;
      break;
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      if (rename->renameType == OBJECT_DATABASE) {
        exclusion = {rename->subname, rename->newname, false, true};
      }
      break;
    }
    case T_AlterDatabaseStmt: {
      const auto* alter = reinterpret_cast<const AlterDatabaseStmt*>(statement);
      if (FindOption(alter->options, "tablespace") != nullptr) {
        exclusion.database = alter->dbname;
      }
      break;
    }
    case T_CreatedbStmt: {
      const auto* create = reinterpret_cast<const CreatedbStmt*>(statement);
      auto* option = const_cast<DefElem*>(FindOption(create->options, "template"));
      const bool named = option != nullptr && option->arg != nullptr;
      exclusion = {named ? defGetString(option) : "template1", create->dbname, true, false};
      break;
    }
    default:
      break;
  }
  return exclusion;
}

bool IsForced(const Node* statement) {
  return IsA(statement, DropdbStmt) &&
         FindOption(reinterpret_cast<const DropdbStmt*>(statement)->options, "force") != nullptr;
}

// The server's own have_createdb_privilege is not in the headers of every minor version of 15.
bool MayCreateDatabases(Oid role) {
  if (superuser_arg(role)) {
    return true;
  }
  HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
  if (!HeapTupleIsValid(tuple)) {
    return false;
  }
  const bool may = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple))->rolcreatedb;
  ReleaseSysCache(tuple);
  return may;
}

bool IsTemplate(Oid database) {
  HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
  if (!HeapTupleIsValid(tuple)) {
    return false;
  }
  const bool is_template = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datistemplate;
  ReleaseSysCache(tuple);
  return is_template;
}

// Who may not run the statement must not be able to stop the scheduler by trying, nor who may, by
// one that is bound to fail.
bool MayDisturb(const Exclusion& exclusion, Oid database, bool is_top_level) {
  const bool makes_name = exclusion.new_name != nullptr;
  if ((!exclusion.in_block && IsInTransactionBlock(is_top_level)) ||
      (database == MyDatabaseId && !exclusion.as_template) ||
      (makes_name && OidIsValid(get_database_oid(exclusion.new_name, true))) ||
      (makes_name && !MayCreateDatabases(GetUserId()))) {
    return false;
  }
  return pg::OwnsDatabase(database, GetUserId()) || (exclusion.as_template && IsTemplate(database));
}

void StepAside(Oid database, bool force) {
  static bool callbacks = false;
  if (!callbacks) {
    RegisterXactCallback(ReleaseAtTransactionEnd, nullptr);
    RegisterSubXactCallback(AtSubtransactionEnd, nullptr);
    before_shmem_exit(ReleaseAtExit, 0);
    callbacks = true;
  }
  if (held_count == kMostHeld || !board::Hold(database)) {
    return;
  }
  held[held_count++] = {database, GetCurrentSubTransactionId()};
  // With FORCE the server ends whoever is left.
  const int patience = force ? kWaitBeforeForceMs : kWaitForLeavingMs;
  constexpr int kLook = 5;
  for (int waited = 0; board::Dismiss(database) > 0 && waited < patience; waited += kLook) {
    WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLook, PG_WAIT_EXTENSION);
    CHECK_FOR_INTERRUPTS();
  }
}

// What our processes must hear of once the transaction has committed.
void Note(NodeTag statement) {
  switch (statement) {
    case T_AlterRoleSetStmt:
    case T_AlterDatabaseSetStmt:
    case T_AlterRoleStmt:
      catalog::NoteSessionSettingsChanged();
      break;
    case T_CreatedbStmt:
    case T_AlterDatabaseStmt:
      catalog::NoteDatabasesCreated();
      break;
    default:
      break;
  }
}

bool IsCommitPrepared(const Node* statement) {
  return IsA(statement, TransactionStmt) &&
         reinterpret_cast<const TransactionStmt*>(statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

void Standard(PlannedStmt* statement, const char* query, bool read_only_tree,
              ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
              DestReceiver* receiver, QueryCompletion* completion) {
  auto* next = previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
  next(statement, query, read_only_tree, context, params, environment, receiver, completion);
}

void OnUtility(PlannedStmt* statement, const char* query, bool read_only_tree,
               ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
               DestReceiver* receiver, QueryCompletion* completion) {
  statement = KeepOffOurTables(statement, context);
  if (statement == nullptr) {
    return;
  }
  const Node* node = statement->utilityStmt;
  const Exclusion exclusion = board::TheBoard() != nullptr ? ExclusionOf(node) : Exclusion{};
  const Oid database =
      exclusion.database != nullptr ? get_database_oid(exclusion.database, true) : InvalidOid;
  if (OidIsValid(database) &&
      MayDisturb(exclusion, database, context == PROCESS_UTILITY_TOPLEVEL)) {
    StepAside(database, IsForced(node));
  }
  // Afterwards nothing of the statement may be read: if it ends the transaction, it may be gone.
  const NodeTag kind = nodeTag(node);
  const bool is_commit_prepared = IsCommitPrepared(node);
  Standard(statement, query, read_only_tree, context, params, environment, receiver, completion);
  Note(kind);
  // What a prepared transaction has touched was noted by another session, which has forgotten it.
  if (is_commit_prepared) {
    board::NotePreparedCommit(MyDatabaseId);
    board::NewSessionEpoch();
  }
}

// Altered by hand, the tables may not fit the library any more, or fit again. A table that is just
// being made is nobody's yet, and is not looked up.
bool IsChangeOfOurTable(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id) {
  const bool is_change = access == OAT_POST_ALTER || access == OAT_DROP ||
                         (access == OAT_POST_CREATE && sub_id != 0);  // a column
  if (!is_change || class_id != RelationRelationId) {
    return false;
  }
  const Oid schema = get_namespace_oid("ratchet", true);
  return OidIsValid(schema) && get_rel_namespace(object_id) == schema;
}

// However the extension is dropped (DROP EXTENSION, DROP SCHEMA ... CASCADE, DROP OWNED), and
// however its tables get another owner (ALTER TABLE, REASSIGN OWNED).
void OnObjectAccess(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id,
                    void* argument) {
  if (previous_object_access != nullptr) {
    previous_object_access(access, class_id, object_id, sub_id, argument);
  }
  const bool is_drop = access == OAT_DROP && class_id == ExtensionRelationId &&
                       object_id == get_extension_oid("pg_ratchet", true);
  if (is_drop || IsChangeOfOurTable(access, class_id, object_id, sub_id)) {
    catalog::NoteEverythingChanged();
  }
}

}  // namespace

void InstallUtilityHook() {
  previous_utility = ProcessUtility_hook;
  ProcessUtility_hook = OnUtility;
  previous_object_access = object_access_hook;
  object_access_hook = OnObjectAccess;
}

}  // namespace ratchet::api
