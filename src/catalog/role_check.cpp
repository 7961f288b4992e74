#include "catalog/role_check.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"
}

#include "pg/compat.h"

namespace ratchet::catalog {
namespace {

enum class Finding { kFine, kNoRole, kNoLogin, kNoConnect, kNoUsage };

constexpr int kNoRoleState = ERRCODE_UNDEFINED_OBJECT;
constexpr char kNoRoleHint[] =
    "Give the job to another role with ratchet.alter_job(..., run_as => ...), or unschedule it.";

constexpr char kNoUsageHint[] =
    "Run GRANT USAGE ON SCHEMA ratchet, or give the job to another role with run_as.";

// For use inside pg::Call. Who may not use the schema has no jobs: what it has left is not run.
bool MayHaveJobs(Oid role) {
  const Oid schema = get_namespace_oid("ratchet", true);
  return OidIsValid(schema) && pg::MayUseSchema(schema, role);
}

std::string NoUsageMessage(const std::string& role) {
  return "permission denied for schema ratchet: role \"" + role + "\" may not have jobs";
}

std::string NoRoleMessage(Oid role) {
  if (!OidIsValid(role)) {
    return "the role that owned the job does not exist any more";
  }
  return "role with OID " + std::to_string(role) + " does not exist";
}

}  // namespace

std::optional<RunError> CheckRole(Oid role, Oid database) {
  std::string name;
  const Finding finding = pg::Call([&] {
    HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) {
      return Finding::kNoRole;
    }
    auto* form = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple));
    name = NameStr(form->rolname);
    const bool can_login = form->rolcanlogin;
    ReleaseSysCache(tuple);
    if (!can_login) {
      return Finding::kNoLogin;
    }
    if (!pg::MayConnect(database, role)) {
      return Finding::kNoConnect;
    }
    return MayHaveJobs(role) ? Finding::kFine : Finding::kNoUsage;
  });
  RunError error;
  switch (finding) {
    case Finding::kFine:
      return std::nullopt;
    case Finding::kNoRole:
      error.sqlstate = kNoRoleState;
      error.message = NoRoleMessage(role);
      error.hint = kNoRoleHint;
      break;
    case Finding::kNoLogin:
      error.sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
      error.message = "role \"" + name + "\" is not permitted to log in";
      error.hint = "Run ALTER ROLE ... LOGIN, or give the job to another role with run_as.";
      break;
    case Finding::kNoConnect:
      error.sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
      error.message = "permission denied for database: role \"" + name + "\" may not connect";
      error.hint = "Run GRANT CONNECT ON DATABASE, or give the job to another role with run_as.";
      break;
    case Finding::kNoUsage:
      error.sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
      error.message = NoUsageMessage(name);
      error.hint = kNoUsageHint;
      break;
  }
  return error;
}

void RequireRole(Oid role) {
  if (!pg::Call([role] { return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)); })) {
    throw pg::Error(kNoRoleState, NoRoleMessage(role), kNoRoleHint);
  }
  if (!pg::Call([role] { return MayHaveJobs(role); })) {
    std::string name;
    pg::Call([&] { name = GetUserNameFromId(role, false); });
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE, NoUsageMessage(name), kNoUsageHint);
  }
}

}  // namespace ratchet::catalog
