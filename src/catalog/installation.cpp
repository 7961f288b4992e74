#include "catalog/installation.h"

#include <vector>

#include <cstdlib>

#include "catalog/table_layouts.h"
#include "pg/guard.h"
#include "pg/relation_changes.h"
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
#include "utils/inval.h"
#include "utils/rel.h"
}

namespace ratchet::catalog {
namespace {

// Of the control file with which the library was built.
constexpr char kLibraryVersion[] = RATCHET_VERSION;

// The version has been found to be that of the library. There is no message about a change of
// pg_extension: every script that makes another version sends one about ratchet.home.
bool version_fits = false;
Oid home_table = InvalidOid;

void AtInvalidation(Datum /*argument*/, Oid relation) {
  if (relation == home_table || relation == InvalidOid) {
    version_fits = false;
  }
}

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
  for (const pg::TableLayout* layout : kTables) {
    *owner = OwnerOf(catalog, pg::TableOid(layout->name));
    if (!superuser_arg(*owner)) {
      found = layout->name;
      break;
    }
  }
  table_close(catalog, AccessShareLock);
  return found;
}

// 1.10 comes after 1.9.
std::vector<long> Parts(const std::string& version) {
  std::vector<long> parts;
  for (const char* at = version.c_str();; at++) {
    char* end = nullptr;
    parts.push_back(std::strtol(at, &end, 10));
    at = end;
    if (*at != '.') {
      return parts;
    }
  }
}

bool LibraryIsOlderThan(const std::string& version) {
  return Parts(kLibraryVersion) < Parts(version);
}

constexpr char kRestart[] = "Restart the server, so that it loads the library that is installed.";

Installation OtherVersion(const std::string& version) {
  return {Fit::kOtherVersion,
          "extension pg_ratchet has version " + version + ", the loaded library has version " +
              kLibraryVersion,
          "No jobs run in this database until they are the same.",
          LibraryIsOlderThan(version)
              ? std::string(kRestart) + " If it is of version " + kLibraryVersion +
                    ", too, install version " + version + " first."
              : "Run ALTER EXTENSION pg_ratchet UPDATE in this database."};
}

// What does not fit of the tables, or null.
const pg::TableLayout* FindMisfit(pg::Misfit* misfit) {
  for (const pg::TableLayout* layout : kTables) {
    Relation table = pg::OpenRelation(layout->name, AccessShareLock);
    const bool fits = pg::HasLayout(table, *layout, misfit);
    table_close(table, AccessShareLock);
    if (!fits) {
      return layout;
    }
  }
  return nullptr;
}

std::string MessageOf(const pg::TableLayout& layout) {
  return pg::Call([&layout] { return psprintf(pg::kMisfitMessage, layout.name); });
}

}  // namespace

Installation CompareVersions() {
  const char* version = pg::Call([] { return InstalledVersion(); });
  if (version == nullptr) {
    return {Fit::kAbsent, {}, {}, {}};
  }
  return version == std::string(kLibraryVersion) ? Installation{} : OtherVersion(version);
}

Installation CompareTables() {
  pg::Misfit misfit{};
  const pg::TableLayout* layout = pg::Call([&misfit] { return FindMisfit(&misfit); });
  if (layout == nullptr) {
    return {};
  }
  return {Fit::kOtherTables, MessageOf(*layout),
          std::string(misfit.detail) + " No jobs run in this database until that is mended.",
          misfit.hint};
}

Installation CheckOwners() {
  Oid owner = InvalidOid;
  const char* table = pg::Call([&owner] { return FindTableOfOthers(&owner); });
  if (table == nullptr) {
    return {};
  }
  const char* role = pg::Call([owner] { return GetUserNameFromId(owner, true); });
  return {
      Fit::kOtherOwner,
      "table \"ratchet." + std::string(table) + "\" belongs to role \"" +
          (role != nullptr ? role : "") + "\", which is no superuser",
      "Who owns the tables can have any command run as any role: no jobs run.",
      "Give what belongs to the extension back to a superuser, for example with REASSIGN OWNED."};
}

Installation FindInstallation() {
  Installation found = CompareVersions();
  if (found.fit == Fit::kFits) {
    found = CheckOwners();
  }
  return found.fit == Fit::kFits ? CompareTables() : found;
}

void RequireThisVersion() {
  if (version_fits) {
    return;
  }
  const char* version = pg::Call([] {
    static bool registered = false;
    if (!registered) {
      pg::OnRelationChange(AtInvalidation);
      registered = true;
    }
    home_table = pg::TableOid("home");
    // Before the version is read: what changes it from now on is heard of.
    version_fits = true;
    return InstalledVersion();
  });
  if (version != nullptr && version == std::string(kLibraryVersion)) {
    return;
  }
  version_fits = false;
  if (version == nullptr) {
    return;  // somebody has declared the function by hand
  }
  const Installation found = OtherVersion(version);
  throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, found.message, found.hint);
}

void RequireLibrary(const std::string& version) {
  if (LibraryIsOlderThan(version)) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cannot make version " + version +
                        " of extension pg_ratchet: the loaded library has version " +
                        kLibraryVersion,
                    kRestart);
  }
}

void ForgetVersion() {
  pg::Call([] { CacheInvalidateRelcacheByRelid(pg::TableOid("home")); });
}

}  // namespace ratchet::catalog
