#include "worker/hidden_tables.h"

#include "pg/guard.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
}

namespace ratchet::worker {
namespace {

// All that follows is for use inside pg::Call.

bool IsTable(char kind) {
  return kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_VIEW ||
         kind == RELKIND_SEQUENCE;
}

// What the name would mean if it were not for the temporary one.
Oid HiddenBy(const FormData_pg_class& temporary) {
  const char* name = NameStr(temporary.relname);
  if (RelnameGetRelid(name) != temporary.oid) {
    return InvalidOid;  // the search_path has it further behind
  }
  ListCell* cell;
  foreach (cell, fetch_search_path(true)) {
    const Oid schema = lfirst_oid(cell);
    const Oid relation = isAnyTempNamespace(schema) ? InvalidOid : get_relname_relid(name, schema);
    if (OidIsValid(relation)) {
      return relation;
    }
  }
  return InvalidOid;
}

void Refuse(const FormData_pg_class& temporary, Oid hidden) {
  ereport(
      ERROR,
      (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
       errmsg("temporary table \"%s\" of this session hides \"%s.%s\"", NameStr(temporary.relname),
              get_namespace_name(get_rel_namespace(hidden)), get_rel_name(hidden)),
       errdetail("The job would use it in place of what it means elsewhere."),
       errhint("Drop it, or use ratchet.trigger(): the run then has a session of its own.")));
}

void LookThrough(Oid schema) {
  Relation classes = table_open(RelationRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(schema));
  TableScanDesc scan = table_beginscan_catalog(classes, 1, &key);
  while (HeapTuple row = heap_getnext(scan, ForwardScanDirection)) {
    const auto* temporary = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
    if (IsTable(temporary->relkind)) {
      if (const Oid hidden = HiddenBy(*temporary); OidIsValid(hidden)) {
        Refuse(*temporary, hidden);
      }
    }
  }
  table_endscan(scan);
  table_close(classes, AccessShareLock);
}

}  // namespace

void RefuseHiddenTables() {
  pg::Call([] {
    const Oid schema = LookupExplicitNamespace("pg_temp", true);
    if (OidIsValid(schema)) {
      LookThrough(schema);
    }
  });
}

}  // namespace ratchet::worker
