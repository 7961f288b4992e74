#include "catalog/role_rights.h"

#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
#include "utils/acl.h"
}

namespace ratchet::catalog {

bool MayManageJobsOf(Oid role, Oid owner) {
  return role == owner || pg::Call([role, owner] {
           return superuser_arg(role) || (has_privs_of_role(role, owner) && !superuser_arg(owner));
         });
}

Oid GroupOf(Oid role) {
  return pg::Call([role] { return superuser_arg(role) ? InvalidOid : role; });
}

}  // namespace ratchet::catalog
