#include "pg/table_layout.h"
#include "pg/partial_index.h"
#include "pg/relation_changes.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "storage/lockdefs.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/relcache.h"
}

#include <algorithm>
#include <cstring>

namespace ratchet::pg {
namespace {

// Tables that were found to fit and have not changed since then. The extension has fewer.
constexpr int kMostTables = 32;
Oid fitting[kMostTables];
int fitting_count = 0;

void AtInvalidation(Datum /*argument*/, Oid relation) {
  if (relation == InvalidOid) {
    fitting_count = 0;
    return;
  }
  fitting_count =
      static_cast<int>(std::remove(fitting, fitting + fitting_count, relation) - fitting);
}

bool IsKnownToFit(Oid table) {
  return std::find(fitting, fitting + fitting_count, table) != fitting + fitting_count;
}

void RememberFit(Oid table) {
  static bool registered = false;
  if (!registered) {
    OnRelationChange(AtInvalidation);
    registered = true;
  }
  if (fitting_count < kMostTables) {
    fitting[fitting_count++] = table;
  }
}

constexpr char kUndo[] =
    "Undo what was done to the table. If another build of pg_ratchet made it, install that build "
    "and "
    "restart the server.";

bool Refuse(Misfit* misfit, const char* hint) {
  misfit->hint = hint;
  return false;
}

bool IsOrdinary(Relation table, Misfit* misfit) {
  if (table->rd_rel->relkind == RELKIND_RELATION && table->rd_rel->relam == HEAP_TABLE_AM_OID) {
    return true;
  }
  snprintf(misfit->detail, sizeof(misfit->detail),
           "It is not an ordinary table of access method heap.");
  return Refuse(misfit, kUndo);
}

bool HasColumn(TupleDesc is, int i, const Column& wanted, Misfit* misfit) {
  if (i >= is->natts || TupleDescAttr(is, i)->attisdropped) {
    snprintf(misfit->detail, sizeof(misfit->detail),
             "Its column %d, \"%s\" of type %s, is missing.", i + 1, wanted.name,
             format_type_be(wanted.type));
    return false;
  }
  const Form_pg_attribute column = TupleDescAttr(is, i);
  if (column->atttypid == wanted.type && std::strcmp(NameStr(column->attname), wanted.name) == 0) {
    return true;
  }
  snprintf(misfit->detail, sizeof(misfit->detail),
           "Its column %d is \"%s\" of type %s, and should be \"%s\" of type %s.", i + 1,
           NameStr(column->attname), format_type_be(column->atttypid), wanted.name,
           format_type_be(wanted.type));
  return false;
}

// What was added and dropped again stays behind the others as a dropped column, in which nothing is
// written: that does no harm, as long as a row has a place for it.
bool HasColumns(Relation table, const TableLayout& layout, Misfit* misfit) {
  TupleDesc is = RelationGetDescr(table);
  for (int i = 0; i < layout.count; i++) {
    if (!HasColumn(is, i, layout.columns[i], misfit)) {
      return Refuse(misfit, kUndo);
    }
  }
  for (int i = layout.count; i < is->natts; i++) {
    if (!TupleDescAttr(is, i)->attisdropped) {
      snprintf(misfit->detail, sizeof(misfit->detail),
               "It has a column \"%s\" that the library does not know.",
               NameStr(TupleDescAttr(is, i)->attname));
      return Refuse(misfit, kUndo);
    }
  }
  if (is->natts > kMaxColumns) {
    snprintf(misfit->detail, sizeof(misfit->detail),
             "It has %d columns, dropped ones included, more than the %d for which the library has "
             "room.",
             is->natts, kMaxColumns);
    return Refuse(misfit, kUndo);
  }
  return true;
}

// The rows go into the indexes below the executor, where nobody can evaluate an expression: the
// attempt would end the process, and with it the server. Whether a column is null can be seen.
bool IsPlain(Relation index) {
  return heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, nullptr) &&
         (heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, nullptr) ||
          ColumnNotNull(RelationGetIndexPredicate(index)) != 0) &&
         !index->rd_index->indisexclusion && index->rd_index->indimmediate;
}

bool HasPlainIndexes(Relation table, Misfit* misfit) {
  List* indexes = RelationGetIndexList(table);
  bool plain = true;
  ListCell* cell;
  foreach (cell, indexes) {
    Relation index = index_open(lfirst_oid(cell), AccessShareLock);
    if (!IsPlain(index)) {
      snprintf(misfit->detail, sizeof(misfit->detail),
               "Its index \"%s\" has expressions or a predicate, or belongs to an exclusion or "
               "deferrable constraint.",
               RelationGetRelationName(index));
      plain = false;
    }
    index_close(index, AccessShareLock);
  }
  list_free(indexes);
  return plain || Refuse(misfit, "Drop the index. An index on columns alone does no harm.");
}

}  // namespace

void TableHasNoSuchColumn(const char* table, std::string_view column) {
  elog(ERROR, "table ratchet.%s is declared without a column \"%.*s\"", table,
       static_cast<int>(column.size()), column.data());
}

bool HasLayout(Relation table, const TableLayout& layout, Misfit* misfit) {
  const Oid oid = RelationGetRelid(table);
  if (IsKnownToFit(oid)) {
    return true;
  }
  if (!IsOrdinary(table, misfit) || !HasColumns(table, layout, misfit) ||
      !HasPlainIndexes(table, misfit)) {
    return false;
  }
  RememberFit(oid);
  return true;
}

}  // namespace ratchet::pg
