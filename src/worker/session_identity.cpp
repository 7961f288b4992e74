#include "worker/session_identity.h"

#include "pg/guard.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_db_role_setting.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

#include "pg/compat.h"

namespace ratchet::worker {
namespace {

bool roles_have_changed = false;

void OnRoleChange(Datum /*argument*/, pg::SyscacheId /*cache*/, uint32 /*hash*/) {
  roles_have_changed = true;
}

// For use inside pg::Call.
HeapTuple FindSettings(Relation table, Oid database, Oid role, SysScanDesc* scan) {
  ScanKeyData keys[2];
  ScanKeyInit(&keys[0], Anum_pg_db_role_setting_setdatabase, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(database));
  ScanKeyInit(&keys[1], Anum_pg_db_role_setting_setrole, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(role));
  *scan = systable_beginscan(table, DbRoleSettingDatidRolidIndexId, true, nullptr, 2, keys);
  return systable_getnext(*scan);
}

}  // namespace

std::optional<SessionIdentity> SessionIdentity::Read(Oid database, Oid role) {
  SessionIdentity identity;
  const auto row_of = [](HeapTuple tuple) {
    return Row{HeapTupleHeaderGetXmin(tuple->t_data), tuple->t_self};
  };
  const bool exists = pg::Call([&] {
    HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) {
      return false;
    }
    identity.role_ = row_of(tuple);
    identity.is_superuser_ = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple))->rolsuper;
    ReleaseSysCache(tuple);
    const Oid whose[4][2] = {
        {database, role}, {InvalidOid, role}, {database, InvalidOid}, {InvalidOid, InvalidOid}};
    Relation table = table_open(DbRoleSettingRelationId, AccessShareLock);
    for (std::size_t i = 0; i < identity.settings_.size(); i++) {
      SysScanDesc scan;
      tuple = FindSettings(table, whose[i][0], whose[i][1], &scan);
      identity.settings_[i] = HeapTupleIsValid(tuple) ? row_of(tuple) : Row{};
      systable_endscan(scan);
    }
    table_close(table, AccessShareLock);
    return true;
  });
  return exists ? std::optional(identity) : std::nullopt;
}

bool SessionIdentity::operator==(const SessionIdentity& other) const {
  const auto same = [](const Row& one, const Row& two) {
    return one.made_by == two.made_by && (one.made_by == InvalidTransactionId ||
                                          ItemPointerEquals(const_cast<ItemPointer>(&one.place),
                                                            const_cast<ItemPointer>(&two.place)));
  };
  bool equal = same(role_, other.role_);
  for (std::size_t i = 0; i < settings_.size(); i++) {
    equal = equal && same(settings_[i], other.settings_[i]);
  }
  return equal;
}

void ListenForRoleChanges() {
  pg::Call([] { CacheRegisterSyscacheCallback(AUTHOID, OnRoleChange, static_cast<Datum>(0)); });
}

bool RolesHaveChanged() {
  pg::Call([] { AcceptInvalidationMessages(); });
  const bool changed = roles_have_changed;
  roles_have_changed = false;
  return changed;
}

}  // namespace ratchet::worker
