#include "catalog/own_relations.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_rewrite.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
}

namespace ratchet::catalog {
namespace {

// A row of pg_depend about what an object depends on; true ends the search.
using Visit = bool (*)(const FormData_pg_depend* dependency, void* context);

bool VisitDependencies(Oid class_id, Oid object_id, Visit visit, void* context) {
  ScanKeyData keys[2];
  Relation table = table_open(DependRelationId, AccessShareLock);
  ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(class_id));
  ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(object_id));
  SysScanDesc scan =
      systable_beginscan(table, DependDependerIndexId, true, nullptr, lengthof(keys), keys);
  bool ended = false;
  for (HeapTuple tuple = systable_getnext(scan); !ended && HeapTupleIsValid(tuple);
       tuple = systable_getnext(scan)) {
    ended = visit(reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple)), context);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return ended;
}

Oid TableOfLongValues(Oid toast) {
  Oid table = InvalidOid;
  VisitDependencies(
      RelationRelationId, toast,
      [](const FormData_pg_depend* dependency, void* found) {
        if (dependency->deptype != DEPENDENCY_INTERNAL ||
            dependency->refclassid != RelationRelationId) {
          return false;
        }
        *static_cast<Oid*>(found) = dependency->refobjid;
        return true;
      },
      &table);
  return table;
}

// The table to which an index or a table of long values belongs; any other relation itself.
Oid MainRelation(Oid relation) {
  if (get_rel_relkind(relation) == RELKIND_INDEX) {
    relation = IndexGetRelation(relation, true);
  }
  return OidIsValid(relation) && get_rel_relkind(relation) == RELKIND_TOASTVALUE
             ? TableOfLongValues(relation)
             : relation;
}

bool IsOursOrReadsOurs(Oid relation) {
  return IsOurRelation(relation) ||
         (get_rel_relkind(relation) == RELKIND_VIEW && ReadsOurRelation(relation));
}

Oid RuleOf(Oid view) {
  ScanKeyData key;
  Relation table = table_open(RewriteRelationId, AccessShareLock);
  ScanKeyInit(&key, Anum_pg_rewrite_ev_class, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(view));
  SysScanDesc scan = systable_beginscan(table, RewriteRelRulenameIndexId, true, nullptr, 1, &key);
  Oid rule = InvalidOid;
  for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
       tuple = systable_getnext(scan)) {
    const auto* form = reinterpret_cast<Form_pg_rewrite>(GETSTRUCT(tuple));
    if (form->ev_type == '0' + CMD_SELECT) {
      rule = form->oid;
    }
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return rule;
}

}  // namespace

bool IsOurRelation(Oid relation) {
  const Oid schema = get_namespace_oid("ratchet", true);
  if (!OidIsValid(schema)) {
    return false;
  }
  const Oid main = MainRelation(relation);
  if (!OidIsValid(main) || get_rel_namespace(main) != schema) {
    return false;
  }
  const Oid extension = getExtensionOfObject(RelationRelationId, main);
  return OidIsValid(extension) && extension == get_extension_oid("pg_ratchet", true);
}

bool ReadsOurRelation(Oid view) {
  check_stack_depth();
  CHECK_FOR_INTERRUPTS();
  const Oid rule = RuleOf(view);
  return OidIsValid(rule) && VisitDependencies(
                                 RewriteRelationId, rule,
                                 [](const FormData_pg_depend* dependency, void* self) {
                                   return dependency->refclassid == RelationRelationId &&
                                          dependency->refobjid != *static_cast<Oid*>(self) &&
                                          IsOursOrReadsOurs(dependency->refobjid);
                                 },
                                 &view);
}

}  // namespace ratchet::catalog
