#include "catalog/installation.h"

#include <cstring>

#include "pg/guard.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
}

namespace ratchet::catalog {
namespace {

// The extension's version in this database, in palloc'd memory; null when it is not there.
char* InstalledVersion() {
  ScanKeyData key;
  Relation table = table_open(ExtensionRelationId, AccessShareLock);
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
              CStringGetDatum("pg_ratchet"));
  SysScanDesc scan = systable_beginscan(table, ExtensionNameIndexId, true, nullptr, 1, &key);
  HeapTuple tuple = systable_getnext(scan);
  char* version = nullptr;
  if (HeapTupleIsValid(tuple)) {
    bool null = false;
    Datum value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(table), &null);
    version = null ? pstrdup("") : TextDatumGetCString(value);
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return version;
}

}  // namespace

Installation FindInstallation() {
  static bool told = false;
  const char* version = pg::Call([] { return InstalledVersion(); });
  if (version == nullptr) {
    return Installation::kAbsent;
  }
  if (std::strcmp(version, kLibraryVersion) == 0) {
    told = false;
    return Installation::kPresent;
  }
  if (!told) {
    told = true;
    ereport(WARNING,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("extension pg_ratchet has version %s, the loaded library has version %s",
                    version, kLibraryVersion),
             errhint("Restart the server if the library is the older one, else run ALTER EXTENSION "
                     "pg_ratchet UPDATE. No jobs run until then.")));
  }
  return Installation::kOtherVersion;
}

}  // namespace ratchet::catalog
