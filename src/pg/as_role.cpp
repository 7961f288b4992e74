#include "pg/as_role.h"

#include "pg/compat.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/rel.h"
}

namespace ratchet::pg {
namespace {

// These say who one is or how one is talked to, or belong to the transaction at hand: what they do
// does not end with the nesting of settings.
constexpr const char* kNotForAWhile[] = {"role",
                                         "session_authorization",
                                         "transaction_isolation",
                                         "transaction_read_only",
                                         "client_encoding",
                                         "transaction_deferrable",
                                         "client_min_messages",
                                         "seed"};

bool IsForAWhile(const char* name) {
  for (const char* other : kNotForAWhile) {
    if (pg_strcasecmp(name, other) == 0) {
      return false;
    }
  }
  return true;
}

// Texts of the form name=value.
void AppendSettings(ArrayType* texts, SettingList* settings) {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
  for (int i = 0; i < count; i++) {
    char* name = nulls[i] ? nullptr : TextDatumGetCString(values[i]);
    char* equals = name != nullptr ? strchr(name, '=') : nullptr;
    if (equals != nullptr) {
      *equals = '\0';
      settings->emplace_back(name, equals + 1);
    }
  }
}

void AppendSettingsOf(Relation table, Oid database, Oid role, SettingList* settings) {
  ScanKeyData keys[2];
  ScanKeyInit(&keys[0], Anum_pg_db_role_setting_setdatabase, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(database));
  ScanKeyInit(&keys[1], Anum_pg_db_role_setting_setrole, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(role));
  SysScanDesc scan =
      systable_beginscan(table, DbRoleSettingDatidRolidIndexId, true, nullptr, 2, keys);
  HeapTuple tuple = systable_getnext(scan);
  while (HeapTupleIsValid(tuple)) {
    bool is_null = false;
    const Datum texts =
        heap_getattr(tuple, Anum_pg_db_role_setting_setconfig, RelationGetDescr(table), &is_null);
    if (!is_null) {
      AppendSettings(DatumGetArrayTypeP(texts), settings);
    }
    tuple = systable_getnext(scan);
  }
  systable_endscan(scan);
}

}  // namespace

SettingList SettingsAtLogin(Oid role) {
  SettingList settings;
  Call([&] {
    Relation table = table_open(DbRoleSettingRelationId, AccessShareLock);
    // The closer ones override the others.
    AppendSettingsOf(table, InvalidOid, InvalidOid, &settings);
    AppendSettingsOf(table, MyDatabaseId, InvalidOid, &settings);
    AppendSettingsOf(table, InvalidOid, role, &settings);
    AppendSettingsOf(table, MyDatabaseId, role, &settings);
    table_close(table, AccessShareLock);
  });
  return settings;
}

AsRole::AsRole(Oid role, const SettingList& settings) {
  Call([&] {
    GetUserIdAndSecContext(&user_, &security_);
    guc_level_ = NewGUCNestLevel();
    SetUserIdAndSecContext(role, security_ | SECURITY_RESTRICTED_OPERATION);
    const GucContext rights = superuser_arg(role) ? PGC_SUSET : PGC_USERSET;
    for (const auto& [name, value] : settings) {
      if (IsForAWhile(name.c_str())) {
        (void)set_config_option_ext(name.c_str(), value.c_str(), rights, PGC_S_SESSION, role,
                                    GUC_ACTION_SAVE, true, DEBUG5, false);
      }
    }
  });
}

void AsRole::End() {
  Call([this] {
    AtEOXact_GUC(false, guc_level_);
    SetUserIdAndSecContext(user_, security_);
  });
}

}  // namespace ratchet::pg
