#include "pg/collation.h"

#include "pg/compat.h"

extern "C" {
#include "access/htup_details.h"
#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace ratchet::pg {
namespace {

struct Collation {
  char provider = COLLPROVIDER_LIBC;
  bool deterministic = true;
  const char* locale = nullptr;
  const char* rules = nullptr;
  const char* recorded = nullptr;  // the version under which its indexes were built; null: unknown
  const char* actual = nullptr;
};

const char* Attribute(SyscacheId cache, HeapTuple tuple, AttrNumber column) {
  if (column == 0) {
    return nullptr;
  }
  bool is_null = false;
  const Datum value = SysCacheGetAttr(cache, tuple, column, &is_null);
  return is_null ? nullptr : TextDatumGetCString(value);
}

// Null when the provider has none.
const char* ActualVersion(PGFunction function, Oid argument) {
  LOCAL_FCINFO(call, 1);
  InitFunctionCallInfoData(*call, nullptr, 1, InvalidOid, nullptr, nullptr);
  call->args[0].value = ObjectIdGetDatum(argument);
  call->args[0].isnull = false;
  const Datum version = function(call);
  return call->isnull ? nullptr : TextDatumGetCString(version);
}

bool IsDefault(Oid collation) {
  return !OidIsValid(collation) || collation == DEFAULT_COLLATION_OID;
}

Collation OfDatabase() {
  HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
  if (!HeapTupleIsValid(tuple)) {
    elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
  }
  Collation found;
  found.provider = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datlocprovider;
  found.locale = Attribute(
      DATABASEOID, tuple,
      found.provider == COLLPROVIDER_LIBC ? Anum_pg_database_datcollate : kLocaleOfDatabase);
  found.rules = Attribute(DATABASEOID, tuple, kRulesOfDatabase);
  found.recorded = Attribute(DATABASEOID, tuple, Anum_pg_database_datcollversion);
  ReleaseSysCache(tuple);
  found.actual = ActualVersion(pg_database_collation_actual_version, MyDatabaseId);
  return found;
}

Collation Find(Oid collation) {
  if (IsDefault(collation)) {
    return OfDatabase();
  }
  HeapTuple tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
  if (!HeapTupleIsValid(tuple)) {
    elog(ERROR, "cache lookup failed for collation %u", collation);
  }
  Collation found;
  auto* form = reinterpret_cast<Form_pg_collation>(GETSTRUCT(tuple));
  found.provider = form->collprovider;
  found.deterministic = form->collisdeterministic;
  found.locale = Attribute(
      COLLOID, tuple,
      found.provider == COLLPROVIDER_LIBC ? Anum_pg_collation_collcollate : kLocaleOfCollation);
  found.rules = Attribute(COLLOID, tuple, kRulesOfCollation);
  found.recorded = Attribute(COLLOID, tuple, Anum_pg_collation_collversion);
  ReleaseSysCache(tuple);
  found.actual = ActualVersion(pg_collation_actual_version, collation);
  return found;
}

// The builtin provider sorts by code points, as C does.
bool ComparesBytes(const Collation& collation) {
  const char* locale = collation.locale != nullptr ? collation.locale : "";
  return collation.provider == 'b' || (collation.provider == COLLPROVIDER_LIBC &&
                                       (strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0));
}

}  // namespace

const char* OrderOfTexts(Oid collation) {
  const Collation found = Find(collation);
  if (ComparesBytes(found)) {
    return "C";
  }
  StringInfoData text;
  initStringInfo(&text);
  appendStringInfo(&text, "%s %s", found.provider == COLLPROVIDER_ICU ? "icu" : "libc",
                   found.locale != nullptr ? found.locale : "");
  if (found.actual != nullptr) {
    appendStringInfo(&text, " %s", found.actual);
  }
  if (!found.deterministic) {
    appendStringInfoString(&text, " nondeterministic");
  }
  if (found.rules != nullptr) {
    appendStringInfo(&text, " with rules %s", found.rules);
  }
  return text.data;
}

const char* OutdatedCollation(Oid collation) {
  const Collation found = Find(collation);
  if (ComparesBytes(found) || found.recorded == nullptr || found.actual == nullptr ||
      strcmp(found.recorded, found.actual) == 0) {
    return nullptr;
  }
  return IsDefault(collation)
             ? psprintf("the database's collation was of version %s, and is of version %s",
                        found.recorded, found.actual)
             : psprintf("collation \"%s\" was of version %s, and is of version %s",
                        get_collation_name(collation), found.recorded, found.actual);
}

}  // namespace ratchet::pg
