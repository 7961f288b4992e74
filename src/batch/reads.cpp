#include "batch/reads.h"

#include "batch/plan_parts.h"
#include "pg/compat_planner.h"
#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_subscription_rel.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "parser/analyze.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

#include <cstring>

namespace ratchet::batch {
namespace {

// ---- For use inside pg::Call -------------------------------------------------------------------

// The server's own that run a text or read a table although they are STABLE; those that are
// VOLATILE are all taken for such.
bool ReadsTables(Oid server_function) {
  switch (server_function) {
    case F_TABLE_TO_XML:
    case F_TABLE_TO_XML_AND_XMLSCHEMA:
    case F_SCHEMA_TO_XML:
    case F_SCHEMA_TO_XML_AND_XMLSCHEMA:
    case F_DATABASE_TO_XML:
    case F_DATABASE_TO_XML_AND_XMLSCHEMA:
      return true;
    default:
      return false;
  }
}

bool IsOurs(Oid function) {
  const char* schema = get_namespace_name(get_func_namespace(function));
  return schema != nullptr && std::strcmp(schema, "ratchet") == 0;
}

// A function in SQL or a procedural language may read a table even if it says that it is IMMUTABLE,
// which is a common lie. Those in C do what they say.
bool MayReadTables(Oid function) {
  HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(row)) {
    return true;
  }
  const auto* form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
  const bool in_c = form->prolang == ClanguageId || form->prolang == INTERNALlanguageId;
  bool may = false;
  if (function < FirstNormalObjectId) {
    may = form->provolatile == PROVOLATILE_VOLATILE || ReadsTables(function);
  } else if (in_c) {
    // Ours say what is known of the run.
    may = form->provolatile != PROVOLATILE_IMMUTABLE && !IsOurs(function);
  } else {
    may = true;
  }
  ReleaseSysCache(row);
  return may;
}

bool GivesLogicalTime(Oid function) {
  const char* name = get_func_name(function);
  return name != nullptr &&
         (std::strcmp(name, "scheduled_at") == 0 ||
          std::strcmp(name, "previous_scheduled_at") == 0) &&
         IsOurs(function);
}

Oid found_function = InvalidOid;
bool found_time = false;
object_access_hook_type next_access_hook = nullptr;

void NoteFunction(ObjectAccessType access, Oid object_class, Oid object, int part, void* argument) {
  if (access == OAT_FUNCTION_EXECUTE) {
    if (!OidIsValid(found_function) && MayReadTables(object)) {
      found_function = object;
    }
    found_time = found_time || GivesLogicalTime(object);
  }
  if (next_access_hook != nullptr) {
    next_access_hook(access, object_class, object, part, argument);
  }
}

PlannedStmt* PlanOf(const char* text) {
  List* queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, pg_parse_query(text)),
                                                     text, nullptr, 0, nullptr);
  return pg::PlanQuery(linitial_node(Query, queries), text, 0, nullptr);
}

// The executor tells of each function in a plan when it gets ready to call it. It does not get to
// that.
void LookAtFunctions(PlannedStmt* plan, const char* text) {
  QueryDesc* query = CreateQueryDesc(plan, text, GetActiveSnapshot(), InvalidSnapshot,
                                     None_Receiver, nullptr, nullptr, 0);
  standard_ExecutorStart(query, EXEC_FLAG_EXPLAIN_ONLY);
  standard_ExecutorEnd(query);
  FreeQueryDesc(query);
}

bool IsEnabled(Oid subscription) {
  HeapTuple row = SearchSysCache1(SUBSCRIPTIONOID, ObjectIdGetDatum(subscription));
  if (!HeapTupleIsValid(row)) {
    return false;
  }
  const bool enabled = reinterpret_cast<Form_pg_subscription>(GETSTRUCT(row))->subenabled;
  ReleaseSysCache(row);
  return enabled;
}

// An enabled subscription writes to this very table.
bool IsSubscribed(Oid table) {
  bool subscribed = false;
  CatCList* list = SearchSysCacheList1(SUBSCRIPTIONRELMAP, ObjectIdGetDatum(table));
  for (int i = 0; i < list->n_members; i++) {
    const auto* row =
        reinterpret_cast<Form_pg_subscription_rel>(GETSTRUCT(&list->members[i]->tuple));
    subscribed = subscribed || IsEnabled(row->srsubid);
  }
  ReleaseSysCacheList(list);
  return subscribed;
}

// Or to a table of which it is a partition.
bool GetsReplicatedRows(Oid table) {
  if (IsSubscribed(table)) {
    return true;
  }
  if (!get_rel_relispartition(table)) {
    return false;
  }
  ListCell* cell;
  foreach (cell, get_partition_ancestors(table)) {
    if (IsSubscribed(lfirst_oid(cell))) {
      return true;
    }
  }
  return false;
}

const char* NameOf(Oid table) {
  return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                    get_rel_name(table));
}

struct Found {
  List* tables = NIL;
  const char* foreign_table = nullptr;
  const char* subscribed_table = nullptr;
  const char* materialized_view = nullptr;
  bool skips_locked = false;
};

void LookAtTables(const PlannedStmt* plan, Found* found) {
  ListCell* cell;
  foreach (cell, plan->relationOids) {
    const Oid table = lfirst_oid(cell);
    found->tables = lappend_oid(found->tables, table);
    // Who has taken a number from it has a key, and no lock on the table yet.
    found->tables = list_concat(found->tables, getOwnedSequences(table));
    if (get_rel_relkind(table) == RELKIND_FOREIGN_TABLE) {
      found->foreign_table = NameOf(table);
    } else if (get_rel_relkind(table) == RELKIND_MATVIEW) {
      found->materialized_view = NameOf(table);
    } else if (GetsReplicatedRows(table)) {
      found->subscribed_table = NameOf(table);
    }
  }
}

bool SkipsLocked(const PlannedStmt* plan) {
  ListCell* cell;
  foreach (cell, plan->rowMarks) {
    if (lfirst_node(PlanRowMark, cell)->waitPolicy == LockWaitSkip) {
      return true;
    }
  }
  return false;
}

// ---- End of what is for use inside pg::Call ----------------------------------------------------

class AccessHook {
 public:
  AccessHook() {
    found_function = InvalidOid;
    found_time = false;
    next_access_hook = object_access_hook;
    object_access_hook = NoteFunction;
  }
  AccessHook(const AccessHook&) = delete;
  AccessHook& operator=(const AccessHook&) = delete;
  ~AccessHook() { object_access_hook = next_access_hook; }
};

}  // namespace

Reads ReadsOf(const std::string& query) {
  Found found;
  const char* function = nullptr;
  bool is_elsewhere = false;
  {
    const AccessHook hook;
    pg::Call([&] {
      PushActiveSnapshot(GetTransactionSnapshot());
      PlannedStmt* plan = PlanOf(query.c_str());
      found_function = InvalidOid;  // what the planner has called, it has put in line
      LookAtTables(plan, &found);
      found.skips_locked = SkipsLocked(plan);
      is_elsewhere = ReadsElsewhere(plan);
      if (!is_elsewhere) {
        LookAtFunctions(plan, query.c_str());
      }
      PopActiveSnapshot();
      function = OidIsValid(found_function) ? get_func_name(found_function) : nullptr;
    });
  }
  Reads reads;
  for (int i = 0; i < list_length(found.tables); i++) {
    reads.tables.push_back(list_nth_oid(found.tables, i));
  }
  const auto text = [](const char* name) { return name != nullptr ? std::string(name) : ""; };
  reads.is_elsewhere = is_elsewhere;
  reads.function = text(function);
  reads.foreign_table = text(found.foreign_table);
  reads.subscribed_table = text(found.subscribed_table);
  reads.materialized_view = text(found.materialized_view);
  reads.skips_locked = found.skips_locked;
  reads.depends_on_time = found_time;
  return reads;
}

void RefuseForeignTable(const std::string& table) {
  throw pg::Error(ERRCODE_FEATURE_NOT_SUPPORTED,
                  "mode => 'incremental' cannot be used with foreign table " + table,
                  "Use mode => 'full', or let a job walk the table on the server where it lives.",
                  "Who is about to commit a smaller key there cannot be seen from here.");
}

void RequireLocalWriters(const Reads& reads) {
  if (!reads.foreign_table.empty()) {
    RefuseForeignTable(reads.foreign_table);
  }
  if (reads.is_elsewhere) {
    throw pg::Error(
        ERRCODE_FEATURE_NOT_SUPPORTED,
        "mode => 'incremental' cannot be used with rows that an extension keeps elsewhere",
        "Use mode => 'full' and a source that leaves out what is done.",
        "Who is about to commit a smaller key on another node cannot be seen from here.");
  }
  if (reads.skips_locked) {
    throw pg::Error(ERRCODE_FEATURE_NOT_SUPPORTED,
                    "mode => 'incremental' cannot be used with SKIP LOCKED",
                    "Use mode => 'full' and a source that leaves out what is done.",
                    "Rows that are locked when a batch is read would never be done.");
  }
  if (!reads.materialized_view.empty()) {
    throw pg::Error(
        ERRCODE_FEATURE_NOT_SUPPORTED,
        "mode => 'incremental' cannot be used with materialized view " + reads.materialized_view,
        "Use mode => 'full', or read the tables of its query.",
        "Who has a smaller key that it will get when it is refreshed the next time "
        "cannot be seen from it.");
  }
  if (!reads.subscribed_table.empty()) {
    throw pg::Error(
        ERRCODE_FEATURE_NOT_SUPPORTED,
        "mode => 'incremental' cannot be used with table " + reads.subscribed_table +
            ", which gets rows by a subscription",
        "Use mode => 'full', or let a job walk the table on the publisher.",
        "Rows come in the order in which they are committed there, not in that of their keys.");
  }
}

}  // namespace ratchet::batch
