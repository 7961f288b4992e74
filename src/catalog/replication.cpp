#include "catalog/replication.h"

#include "catalog/table_layouts.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_subscription_rel.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
}

namespace ratchet::catalog {
namespace {

// Days that are left out are data of people, and are replicated as such.
bool IsOfLibrary(const pg::TableLayout& layout) { return &layout != &kCalendarDaysTable; }

// This works with the tables of every version: one that is missing is none that is replicated.
Oid OidOf(const pg::TableLayout& layout, Oid schema) {
  return IsOfLibrary(layout) ? get_relname_relid(layout.name, schema) : InvalidOid;
}

Oid SubscriptionOf(Relation catalog, Oid table) {
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_subscription_rel_srrelid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(table));
  SysScanDesc scan =
      systable_beginscan(catalog, SubscriptionRelSrrelidSrsubidIndexId, true, nullptr, 1, &key);
  HeapTuple tuple = systable_getnext(scan);
  const Oid found = HeapTupleIsValid(tuple)
                        ? reinterpret_cast<Form_pg_subscription_rel>(GETSTRUCT(tuple))->srsubid
                        : InvalidOid;
  systable_endscan(scan);
  return found;
}

Oid PublicationOf(Oid schema) {
  List* publications = GetSchemaPublications(schema);
  List* of_all_tables = GetAllTablesPublications();
  for (const pg::TableLayout* layout : kTables) {
    const Oid table = OidOf(*layout, schema);
    if (publications == NIL && OidIsValid(table)) {
      publications =
          list_concat(list_difference_oid(of_all_tables, pg::PublicationsExcluding(table)),
                      pg::PublicationsNaming(table));
    }
  }
  return publications == NIL ? InvalidOid : linitial_oid(publications);
}

}  // namespace

std::string FindSubscription() {
  std::string name;
  pg::Call([&name] {
    const Oid schema = get_namespace_oid("ratchet", true);
    Oid found = InvalidOid;
    Relation catalog = table_open(SubscriptionRelRelationId, AccessShareLock);
    for (const pg::TableLayout* layout : kTables) {
      const Oid table = OidIsValid(schema) ? OidOf(*layout, schema) : InvalidOid;
      if (!OidIsValid(found) && OidIsValid(table)) {
        found = SubscriptionOf(catalog, table);
      }
    }
    table_close(catalog, AccessShareLock);
    const char* text = OidIsValid(found) ? get_subscription_name(found, true) : nullptr;
    name = text != nullptr ? text : "";
  });
  return name;
}

std::string FindPublication() {
  std::string name;
  pg::Call([&name] {
    const Oid schema = get_namespace_oid("ratchet", true);
    const Oid found = OidIsValid(schema) ? PublicationOf(schema) : InvalidOid;
    const char* text = OidIsValid(found) ? get_publication_name(found, true) : nullptr;
    name = text != nullptr ? text : "";
  });
  return name;
}

}  // namespace ratchet::catalog
