#include "api/table_use.h"

#include "catalog/own_relations.h"
#include "pg/compat.h"
#include "pg/permission_hook.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
}

#include <cstring>

namespace ratchet::api {
namespace {

// SELECT ... FOR UPDATE, and FOR SHARE, need the privilege UPDATE.
constexpr AclMode kWrites = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// Days are written by people.
bool IsWrittenByTheLibrary(Oid table) {
  const Oid schema = get_namespace_oid("ratchet", true);
  return OidIsValid(schema) && get_rel_namespace(table) == schema &&
         catalog::IsOurRelation(table) && std::strcmp(get_rel_name(table), "calendar_days") != 0;
}

bool MayWrite(const pg::RelationUse& use, bool raises) {
  if (superuser_arg(use.role) || !IsWrittenByTheLibrary(use.relation)) {
    return true;
  }
  if (raises) {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("table \"%s\" is written by the library alone", get_rel_name(use.relation)),
             errhint("Use the functions of schema ratchet. A superuser may write it, to "
                     "restore a dump.")));
  }
  return false;
}

bool MayReadLongValues(const pg::RelationUse& use, bool raises) {
  if (has_bypassrls_privilege(use.role) || !catalog::IsOurRelation(use.relation)) {
    return true;
  }
  if (raises) {
    aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(use.relation));
  }
  return false;
}

// For every statement of everybody: the quick answers come first.
bool MayUse(const pg::RelationUse& use, bool raises) {
  if (use.kind == RELKIND_TOASTVALUE) {
    return MayReadLongValues(use, raises);
  }
  return use.kind != RELKIND_RELATION || (use.privileges & kWrites) == 0 || MayWrite(use, raises);
}

}  // namespace

void InstallTableUseHook() {
  const bool is_only_one = ExecutorCheckPerms_hook == nullptr;
  pg::RelationUseHook<MayUse>::Install();
  pg::NoteOwnPermissionHook(is_only_one);
}

}  // namespace ratchet::api
