#include "batch/key_indexes.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
}

namespace ratchet::batch {
namespace {

struct Search {
  Relation table;
  const KeyOrigin* origin;
  int count;
  Bitmapset* covered = nullptr;  // columns that are in the key, or the same in all rows
  bool any_unique = false;
  bool any_unclear =
      false;  // unique by an expression, which no list of columns can be held against
  bool any_computed = false;
  KeyFacts facts;
};

const char* Columns(Relation table, Relation index) {
  StringInfoData names;
  initStringInfo(&names);
  for (int i = 0; i < index->rd_index->indnkeyatts; i++) {
    const FormData_pg_attribute* column =
        TupleDescAttr(RelationGetDescr(table), index->rd_index->indkey.values[i] - 1);
    appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ",
                     quote_identifier(NameStr(column->attname)));
  }
  return names.data;
}

void LookAtUnique(Relation index, Search* search) {
  const Form_pg_index form = index->rd_index;
  if (!form->indisunique || !form->indimmediate || RelationGetIndexPredicate(index) != NIL) {
    return;
  }
  bool covered = true;
  for (int i = 0; i < form->indnkeyatts; i++) {
    const AttrNumber column = form->indkey.values[i];
    if (column == 0) {
      search->any_unclear = true;
      return;
    }
    covered = covered && bms_is_member(column, search->covered);
  }
  search->any_unique = true;
  if (covered) {
    search->facts.uniqueness = Uniqueness::kUnique;
  }
  if (search->facts.unique_columns == nullptr || form->indisprimary) {
    search->facts.unique_columns = Columns(search->table, index);
  }
}

// Ascending or descending, but the same for all of the key, with nulls where a plain ORDER BY has
// them.
bool IsInOrderOf(Relation index, const Search& search) {
  if (index->rd_index->indnkeyatts < search.count || RelationGetIndexPredicate(index) != NIL) {
    return false;
  }
  for (int i = 0; i < search.count; i++) {
    const int option = index->rd_indoption[i];
    if (index->rd_index->indkey.values[i] != search.origin->columns[i] ||
        (option != 0 && option != (INDOPTION_DESC | INDOPTION_NULLS_FIRST)) ||
        option != index->rd_indoption[0]) {
      return false;
    }
  }
  return true;
}

void LookAtIndexes(Search* search) {
  ListCell* cell;
  foreach (cell, RelationGetIndexList(search->table)) {
    Relation index = index_open(lfirst_oid(cell), AccessShareLock);
    if (index->rd_index->indisvalid && index->rd_rel->relam == BTREE_AM_OID) {
      LookAtUnique(index, search);
      search->facts.has_index = search->facts.has_index || IsInOrderOf(index, *search);
    }
    index_close(index, AccessShareLock);
  }
}

void LookAtNulls(Search* search) {
  StringInfoData names;
  initStringInfo(&names);
  for (int i = 0; i < search->count; i++) {
    const AttrNumber column = search->origin->columns[i];
    if (column == 0 || bms_is_member(column, search->origin->not_null)) {
      continue;
    }
    const FormData_pg_attribute* attribute =
        TupleDescAttr(RelationGetDescr(search->table), column - 1);
    if (!attribute->attnotnull) {
      appendStringInfo(&names, "%s\"%s\"", search->facts.nullable_count == 0 ? "" : ", ",
                       NameStr(attribute->attname));
      search->facts.nullable_count++;
    }
  }
  search->facts.nullable = names.data;
}

}  // namespace

KeyFacts FactsOf(const KeyOrigin& origin, int count) {
  Search search{};
  search.table = table_open(origin.table, NoLock);
  search.origin = &origin;
  search.count = count;
  search.covered = bms_copy(origin.constant);
  for (int i = 0; i < count; i++) {
    if (origin.columns[i] != 0) {
      search.covered = bms_add_member(search.covered, origin.columns[i]);
    }
    search.any_computed = search.any_computed || origin.columns[i] == 0;
  }
  LookAtIndexes(&search);
  const char kind = search.table->rd_rel->relkind;
  // A parent's indexes know nothing of the rows of its children, unless it is partitioned.
  const bool knows_all =
      origin.is_one_table && kind != RELKIND_FOREIGN_TABLE &&
      (kind == RELKIND_PARTITIONED_TABLE || !origin.inherited || !has_subclass(origin.table));
  if (!knows_all) {
    search.facts.uniqueness =
        origin.is_one_table && kind == RELKIND_RELATION && !search.any_computed
            ? Uniqueness::kPerTable
            : Uniqueness::kUnknown;
  } else {
    if (search.facts.uniqueness != Uniqueness::kUnique && !search.any_unclear &&
        !search.any_computed) {
      search.facts.uniqueness = search.any_unique ? Uniqueness::kNotUnique : Uniqueness::kNoIndex;
    }
    LookAtNulls(&search);
    search.facts.knows_nulls = true;
  }
  table_close(search.table, NoLock);
  return search.facts;
}

}  // namespace ratchet::batch
