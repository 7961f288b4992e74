#include "scheduler/role_changes.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace ratchet::scheduler {
namespace {

std::uint32_t roles_version = 1;

void AtRoleChange(Datum /*argument*/, pg::SyscacheId /*cache*/, uint32 /*hash*/) {
  roles_version++;
}

}  // namespace

std::uint32_t RolesVersion() {
  static bool listens = false;
  pg::Call([] {
    if (!listens) {
      CacheRegisterSyscacheCallback(AUTHOID, AtRoleChange, static_cast<Datum>(0));
      CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, AtRoleChange, static_cast<Datum>(0));
      CacheRegisterSyscacheCallback(DATABASEOID, AtRoleChange, static_cast<Datum>(0));
      CacheRegisterSyscacheCallback(NAMESPACEOID, AtRoleChange, static_cast<Datum>(0));
      listens = true;
    }
    AcceptInvalidationMessages();
  });
  return roles_version;
}

}  // namespace ratchet::scheduler
