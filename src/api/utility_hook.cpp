#include "api/utility_hook.h"

#include "board/database_board.h"
#include "catalog/commit_notice.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
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
constexpr int kMostHeld = 8;
Oid held_databases[kMostHeld];
int held_count = 0;

// How long a statement waits for our processes to leave. The server itself waits for five seconds
// for whoever is connected, and then says so.
constexpr int kWaitForLeavingMs = 4000;
constexpr int kWaitBeforeForceMs = 100;

void ReleaseHeld() {
  while (held_count > 0) {
    board::Release(held_databases[--held_count]);
  }
}

void ReleaseAtExit(int /*code*/, Datum /*argument*/) { ReleaseHeld(); }

// Not at the end of the statement: until the commit, the database is there for everybody else.
void ReleaseAtTransactionEnd(XactEvent event, void* /*argument*/) {
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
    ReleaseHeld();
  }
}

// Name of the database to which nobody may be connected during the statement; null for others.
const char* NeedsNobodyConnected(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
      return reinterpret_cast<const DropdbStmt*>(statement)->dbname;
    case T_RenameStmt: {
      const auto* rename = reinterpret_cast<const RenameStmt*>(statement);
      return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    case T_AlterDatabaseStmt: {
      const auto* alter = reinterpret_cast<const AlterDatabaseStmt*>(statement);
      ListCell* cell;
      foreach (cell, alter->options) {
        if (std::strcmp(lfirst_node(DefElem, cell)->defname, "tablespace") == 0) {
          return alter->dbname;
        }
      }
      return nullptr;
    }
    case T_CreatedbStmt: {
      ListCell* cell;
      foreach (cell, reinterpret_cast<const CreatedbStmt*>(statement)->options) {
        auto* option = lfirst_node(DefElem, cell);
        if (std::strcmp(option->defname, "template") == 0 && option->arg != nullptr) {
          return defGetString(option);
        }
      }
      return "template1";
    }
    default:
      return nullptr;
  }
}

bool IsForced(const Node* statement) {
  if (!IsA(statement, DropdbStmt)) {
    return false;
  }
  ListCell* cell;
  foreach (cell, reinterpret_cast<const DropdbStmt*>(statement)->options) {
    if (std::strcmp(lfirst_node(DefElem, cell)->defname, "force") == 0) {
      return true;
    }
  }
  return false;
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

// Who may not run the statement must not be able to stop the scheduler by trying.
bool MayDisturb(Oid database, bool as_template) {
  if (pg::OwnsDatabase(database, GetUserId())) {
    return true;
  }
  HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
  if (!HeapTupleIsValid(tuple)) {
    return false;
  }
  const bool is_template = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datistemplate;
  ReleaseSysCache(tuple);
  return as_template && is_template && MayCreateDatabases(GetUserId());
}

void StepAside(Oid database, bool force) {
  static bool callbacks = false;
  if (!callbacks) {
    RegisterXactCallback(ReleaseAtTransactionEnd, nullptr);
    before_shmem_exit(ReleaseAtExit, 0);
    callbacks = true;
  }
  if (held_count == kMostHeld || !board::Hold(database)) {
    return;
  }
  held_databases[held_count++] = database;
  // With FORCE the server ends whoever is left.
  const int patience = force ? kWaitBeforeForceMs : kWaitForLeavingMs;
  constexpr int kLook = 5;
  for (int waited = 0; board::Dismiss(database) > 0 && waited < patience; waited += kLook) {
    WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLook, PG_WAIT_EXTENSION);
    CHECK_FOR_INTERRUPTS();
  }
}

// What our processes must hear of once the transaction has committed.
void Note(const Node* statement) {
  switch (nodeTag(statement)) {
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

void Standard(PlannedStmt* statement, const char* query, bool read_only_tree,
              ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
              DestReceiver* receiver, QueryCompletion* completion) {
  auto* next = previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
  next(statement, query, read_only_tree, context, params, environment, receiver, completion);
}

void OnUtility(PlannedStmt* statement, const char* query, bool read_only_tree,
               ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
               DestReceiver* receiver, QueryCompletion* completion) {
  Node* node = statement->utilityStmt;
  const char* name = board::TheBoard() != nullptr ? NeedsNobodyConnected(node) : nullptr;
  const Oid database = name != nullptr ? get_database_oid(name, true) : InvalidOid;
  if (OidIsValid(database) && MayDisturb(database, IsA(node, CreatedbStmt))) {
    StepAside(database, IsForced(node));
  }
  Standard(statement, query, read_only_tree, context, params, environment, receiver, completion);
  Note(node);
  // What a prepared transaction has touched was noted by another session, which has forgotten it.
  if (IsA(node, TransactionStmt) &&
      reinterpret_cast<TransactionStmt*>(node)->kind == TRANS_STMT_COMMIT_PREPARED) {
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
