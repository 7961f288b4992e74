#include "catalog/installation.h"

#include <cstring>

#include "pg/guard.h"
#include "pg/table.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
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

constexpr const char* kTables[] = {"job",         "job_version", "job_state", "run_queue",
                                   "run_log",     "job_stat",    "home",      "job_checkpoint",
                                   "failed_item", "backfill"};

// Not from the cache: what a transaction has changed there is told of after the scheduler has been
// woken.
Oid OwnerOf(Relation catalog, Oid table) {
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
  SysScanDesc scan = systable_beginscan(catalog, ClassOidIndexId, true, nullptr, 1, &key);
  HeapTuple tuple = systable_getnext(scan);
  const Oid owner = HeapTupleIsValid(tuple)
                        ? reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner
                        : InvalidOid;
  systable_endscan(scan);
  return owner;
}

// The first table that belongs to a role without the rights of a superuser; null when none does.
const char* FindTableOfOthers(Oid* owner) {
  const char* found = nullptr;
  Relation catalog = table_open(RelationRelationId, AccessShareLock);
  for (const char* name : kTables) {
    *owner = OwnerOf(catalog, pg::TableOid(name));
    if (!superuser_arg(*owner)) {
      found = name;
      break;
    }
  }
  table_close(catalog, AccessShareLock);
  return found;
}

Installation CheckOwner() {
  static bool told = false;
  Oid owner = InvalidOid;
  const char* table = pg::Call([&owner] { return FindTableOfOthers(&owner); });
  if (table == nullptr) {
    told = false;
    return Installation::kPresent;
  }
  if (!told) {
    told = true;
    pg::Call([table, owner] {
      ereport(WARNING,
              (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
               errmsg("table \"ratchet.%s\" belongs to role \"%s\", which is no superuser", table,
                      GetUserNameFromId(owner, true)),
               errdetail("Who owns the tables can have any command run as any role: no jobs run."),
               errhint("Give what belongs to the extension back to a superuser, for example with "
                       "REASSIGN OWNED.")));
    });
  }
  return Installation::kOtherOwner;
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
    return CheckOwner();
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
