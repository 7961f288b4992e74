#include "batch/type_rules.h"

#include <algorithm>
#include <cstdint>

#include "pg/collation.h"

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/catcache.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
}

namespace ratchet::batch {
namespace {

void AppendCollation(StringInfo out, Oid collation) {
  appendStringInfo(out, " collate %s", pg::OrderOfTexts(collation));
}

// A function of somebody's own, which may be another one tomorrow under the same name.
void AppendFunction(StringInfo out, Oid function) {
  if (!OidIsValid(function) || function < FirstGenbkiObjectId) {
    return;
  }
  HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) {
    elog(ERROR, "cache lookup failed for function %u", function);
  }
  bool is_null = false;
  const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
  const char* body = is_null ? "" : TextDatumGetCString(source);
  appendStringInfo(
      out, " by %s %08x", format_procedure_qualified(function),
      hash_bytes(reinterpret_cast<const unsigned char*>(body), static_cast<int>(strlen(body))));
  ReleaseSysCache(tuple);
  // It may sort texts by the database's collation, as that of citext does in part.
  AppendCollation(out, DEFAULT_COLLATION_OID);
}

void AppendPart(StringInfo out, Oid type, std::int32_t typmod, Oid collation);

// Those of row types and domains by their columns, which may change under the same name.
void AppendColumns(StringInfo out, Oid type) {
  TupleDesc row = lookup_rowtype_tupdesc(type, -1);
  for (int i = 0; i < row->natts; i++) {
    const FormData_pg_attribute* column = TupleDescAttr(row, i);
    if (!column->attisdropped) {
      AppendPart(out, column->atttypid, column->atttypmod, column->attcollation);
    }
  }
  ReleaseTupleDesc(row);
}

void AppendLabels(StringInfo out, Oid type) {
  int count = 0;
  const FormData_pg_enum* labels = LabelsOf(type, &count);
  for (int i = 0; i < count; i++) {
    appendStringInfoChar(out, ' ');
    escape_json(out, NameStr(labels[i].enumlabel));
  }
}

void AppendRange(StringInfo out, const TypeCacheEntry* range) {
  AppendPart(out, range->rngelemtype->type_id, -1, range->rng_collation);
  AppendFunction(out, range->rng_cmp_proc_finfo.fn_oid);
}

// Within another type: by its name, too, and an enum with its labels.
void AppendPart(StringInfo out, Oid type, std::int32_t typmod, Oid collation) {
  check_stack_depth();
  const Oid base = getBaseTypeAndTypmod(type, &typmod);
  appendStringInfo(out, " (%s", format_type_be_qualified(base));
  if (typmod >= 0) {
    appendStringInfo(out, " %d", typmod);
  }
  if (get_typtype(base) == TYPTYPE_ENUM) {
    AppendLabels(out, base);
  }
  AppendTypeRules(out, base, collation);
  appendStringInfoChar(out, ')');
}

}  // namespace

const FormData_pg_enum* LabelsOf(Oid type, int* count) {
  CatCList* list = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(type));
  *count = list->n_members;
  auto* labels = static_cast<FormData_pg_enum*>(
      palloc(sizeof(FormData_pg_enum) * static_cast<Size>(list->n_members + 1)));
  for (int i = 0; i < list->n_members; i++) {
    labels[i] = *reinterpret_cast<Form_pg_enum>(GETSTRUCT(&list->members[i]->tuple));
  }
  ReleaseSysCacheList(list);
  std::sort(labels, labels + *count, [](const FormData_pg_enum& a, const FormData_pg_enum& b) {
    return a.enumsortorder < b.enumsortorder;
  });
  return labels;
}

void AppendTypeRules(StringInfo out, Oid type, Oid collation) {
  if (const Oid element = get_element_type(type); OidIsValid(element)) {
    AppendPart(out, element, -1, collation);
    return;
  }
  switch (get_typtype(type)) {
    case TYPTYPE_ENUM:
      return;
    case TYPTYPE_COMPOSITE:
      AppendColumns(out, type);
      break;
    case TYPTYPE_RANGE:
      AppendRange(out, lookup_type_cache(type, TYPECACHE_RANGE_INFO));
      break;
    case TYPTYPE_MULTIRANGE:
      AppendRange(out, lookup_type_cache(type, TYPECACHE_MULTIRANGE_INFO)->rngtype);
      break;
    default:
      if (type_is_collatable(type)) {
        AppendCollation(out, collation);
      } else if (type == JSONBOID) {
        AppendCollation(out, DEFAULT_COLLATION_OID);
      }
      break;
  }
  AppendFunction(out, lookup_type_cache(type, TYPECACHE_CMP_PROC)->cmp_proc);
}

}  // namespace ratchet::batch
