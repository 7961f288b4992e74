#include "catalog/mutex_owner.h"

#include "pg/guard.h"
#include "policy/mutex_name.h"

extern "C" {
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
}

namespace ratchet::catalog {
namespace {

// As it is written, not as SQL would read it. InvalidOid: there is no such role.
Oid RoleOf(const policy::MutexName& mutex) {
  const std::string role(mutex.role);
  return pg::Call([&role] { return get_role_oid(role.c_str(), true); });
}

bool HasRightsOf(Oid owner, Oid role) {
  return pg::Call([owner, role] { return has_privs_of_role(owner, role); });
}

std::string Key(Oid role, std::string_view name) {
  return std::to_string(role) + "." + std::string(name);
}

std::string Quoted(const char* identifier) {
  std::string quoted;
  pg::Call([&quoted, identifier] { quoted = quote_identifier(identifier); });
  return quoted;
}

std::string QuotedName(Oid role) {
  const char* name = pg::Call([role] { return GetUserNameFromId(role, true); });
  return name != nullptr ? Quoted(name) : std::to_string(role);
}

}  // namespace

std::string MutexKey(const std::string& mutex, Oid owner) {
  if (mutex.empty()) {
    return {};
  }
  const policy::MutexName parts(mutex);
  if (parts.is_shared) {
    const Oid role = RoleOf(parts);
    if (OidIsValid(role) && HasRightsOf(owner, role)) {
      return Key(role, parts.name);
    }
  }
  return Key(owner, mutex);
}

void RequireMutex(const std::string& mutex, Oid owner) {
  const policy::MutexName parts(mutex);
  if (!parts.is_shared) {
    return;
  }
  constexpr char kMeaning[] =
      "What stands before its last dot is the role whose mutex it is: those who have the "
      "privileges "
      "of that role share it. Without a dot it is shared by the jobs of the same owner.";
  if (parts.name.empty() || parts.role.empty()) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "mutex \"" + mutex + "\" has no name before or behind its last dot", kMeaning);
  }
  const std::string role(parts.role);
  const Oid found = RoleOf(parts);
  if (!OidIsValid(found)) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "mutex \"" + mutex + "\": role \"" + role + "\" does not exist", kMeaning);
  }
  if (!HasRightsOf(owner, found)) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "mutex \"" + mutex +
                        "\": the owner of the job does not have the privileges "
                        "of role \"" +
                        role + "\"",
                    "Run GRANT " + Quoted(role.c_str()) + " TO " + QuotedName(owner) +
                        ", or use a mutex without a dot.");
  }
}

}  // namespace ratchet::catalog
