#include "api/vacuum_list.h"

#include "catalog/own_relations.h"
#include "pg/compat.h"

extern "C" {
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"
}

#include <cstring>

namespace ratchet::api {
namespace {

bool IsFull(const VacuumStmt* vacuum) {
  ListCell* cell;
  foreach (cell, vacuum->options) {
    auto* option = lfirst_node(DefElem, cell);
    if (std::strcmp(option->defname, "full") == 0) {
      return defGetBoolean(option);
    }
  }
  return false;
}

// Nothing to leave out where the caller owns the table, or may do nothing with it: PostgreSQL
// passes over that one by itself, before it locks it.
bool IsLeftOut(Oid relation) {
  return OidIsValid(relation) && catalog::IsOurRelation(relation) &&
         !pg::OwnsTable(relation, GetUserId()) && pg::MayVacuum(relation, GetUserId());
}

void TellOfOne(const char* name, bool full) {
  if (full) {
    ereport(WARNING, (errmsg("skipping \"%s\" --- only its owner can vacuum it with FULL", name),
                      errdetail("All jobs of this database would wait for the end of that.")));
  } else {
    ereport(WARNING,
            (errmsg("skipping \"%s\" --- only its owner can analyze it within a transaction block",
                    name)));
  }
}

void TellOfAll(bool full) {
  if (full) {
    ereport(WARNING, (errmsg("skipping the tables of extension pg_ratchet --- only their owner can "
                             "vacuum them with FULL"),
                      errdetail("All jobs of this database would wait for the end of that.")));
  } else {
    ereport(WARNING, (errmsg("skipping the tables of extension pg_ratchet --- only their owner can "
                             "analyze them within a transaction block")));
  }
}

List* WithoutOurs(List* tables, bool full) {
  List* others = NIL;
  ListCell* cell;
  foreach (cell, tables) {
    auto* table = lfirst_node(VacuumRelation, cell);
    const Oid relation = OidIsValid(table->oid) ? table->oid
                         : table->relation != nullptr
                             ? RangeVarGetRelid(table->relation, NoLock, true)
                             : InvalidOid;
    if (IsLeftOut(relation)) {
      TellOfOne(get_rel_name(relation), full);
    } else {
      others = lappend(others, table);
    }
  }
  return others;
}

// What the server collects when no table is named, as far as the caller may vacuum it.
List* AllOthers(bool* any_of_ours) {
  List* others = NIL;
  Relation catalog = table_open(RelationRelationId, AccessShareLock);
  TableScanDesc scan = table_beginscan_catalog(catalog, 0, nullptr);
  for (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection); HeapTupleIsValid(tuple);
       tuple = heap_getnext(scan, ForwardScanDirection)) {
    const auto* form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    if (form->relkind != RELKIND_RELATION && form->relkind != RELKIND_MATVIEW &&
        form->relkind != RELKIND_PARTITIONED_TABLE) {
      continue;
    }
    if (IsLeftOut(form->oid)) {
      *any_of_ours = true;
    } else if (pg::MayVacuum(form->oid, GetUserId())) {
      others = lappend(others, makeVacuumRelation(nullptr, form->oid, NIL));
    }
  }
  table_endscan(scan);
  table_close(catalog, AccessShareLock);
  return others;
}

}  // namespace

PlannedStmt* LeaveOurTablesOut(PlannedStmt* statement, ProcessUtilityContext context) {
  auto* vacuum = reinterpret_cast<VacuumStmt*>(statement->utilityStmt);
  const bool full = vacuum->is_vacuumcmd && IsFull(vacuum);
  const bool holds =
      !vacuum->is_vacuumcmd && IsInTransactionBlock(context == PROCESS_UTILITY_TOPLEVEL);
  if (!full && !holds) {
    return statement;
  }
  bool left_out = false;
  List* others;
  if (vacuum->rels != NIL) {
    others = WithoutOurs(vacuum->rels, full);
    left_out = list_length(others) < list_length(vacuum->rels);
  } else {
    others = AllOthers(&left_out);
    if (left_out) {
      TellOfAll(full);
    }
  }
  if (!left_out || others == NIL) {
    return left_out ? nullptr : statement;
  }
  auto* copy = static_cast<PlannedStmt*>(copyObjectImpl(statement));
  reinterpret_cast<VacuumStmt*>(copy->utilityStmt)->rels = others;
  return copy;
}

}  // namespace ratchet::api
