#include "api/privilege.h"

#include "api/channel_access.h"
#include "catalog/missing_job.h"
#include "catalog/role_rights.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace ratchet::api {
namespace {

enum class Login { kAllowed, kNoRole, kNoLogin, kNoConnect, kNoUsage };

Login LoginOf(Oid role) {
  return pg::Call([role] {
    HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) {
      return Login::kNoRole;
    }
    const bool may_log_in = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple))->rolcanlogin;
    ReleaseSysCache(tuple);
    if (!may_log_in) {
      return Login::kNoLogin;
    }
    if (!pg::MayConnect(MyDatabaseId, role)) {
      return Login::kNoConnect;
    }
    return pg::MayUseSchema(get_namespace_oid("ratchet", false), role) ? Login::kAllowed
                                                                       : Login::kNoUsage;
  });
}

std::string Quoted(const char* identifier) {
  std::string quoted;
  pg::Call([&quoted, identifier] { quoted = quote_identifier(identifier); });
  return quoted;
}

void RequireLogin(Oid role) {
  const Login login = LoginOf(role);
  if (login == Login::kAllowed) {
    return;
  }
  const std::string name = RoleName(role);
  if (login == Login::kNoRole) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT,
                    "run_as: role with OID " + std::to_string(role) + " does not exist");
  }
  const std::string quoted = Quoted(name.c_str());
  if (login == Login::kNoLogin) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "role \"" + name + "\" cannot own a job because it is not permitted to log in",
                    "Run ALTER ROLE " + quoted + " LOGIN, or name another role by run_as.",
                    "A job runs in a session of its owner.");
  }
  if (login == Login::kNoUsage) {
    throw pg::Error(
        ERRCODE_INSUFFICIENT_PRIVILEGE,
        "role \"" + name +
            "\" cannot own a job because it has no USAGE privilege on schema ratchet",
        "Run GRANT USAGE ON SCHEMA ratchet TO " + quoted + ", or name another role by run_as.",
        "Without it, what a role has left of jobs is not run.");
  }
  std::string database;
  pg::Call([&database] {
    const char* found = get_database_name(MyDatabaseId);
    database = quote_identifier(found != nullptr ? found : "");
  });
  throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                  "role \"" + name + "\" cannot own a job because it has no CONNECT privilege",
                  "Run GRANT CONNECT ON DATABASE " + database + " TO " + quoted +
                      ", or name another role by run_as.",
                  "A job runs in a session of its owner.");
}

}  // namespace

bool MaySee(Oid owner) {
  return pg::Call([owner] {
    return has_privs_of_role(GetUserId(), owner) || has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
  });
}

bool MayManage(Oid owner) { return catalog::MayManageJobsOf(GetUserId(), owner); }

void RequireMayManage(const catalog::JobDefinition& job) {
  if (!MayManage(job.owner)) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of job \"" + job.job_name + "\"");
  }
}

void RequireMayManageRun(std::int64_t run_id, Oid owner) {
  if (!MayManage(owner)) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of run " + std::to_string(run_id));
  }
}

void RequireUsableOwner(Oid owner) {
  const bool may_use = pg::Call([owner] {
    return owner == GetUserId() || superuser() ||
           (pg::MaySetRole(GetUserId(), owner) && !superuser_arg(owner));
  });
  if (!may_use) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "permission denied to run a job as role \"" + RoleName(owner) + "\"",
                    "run_as needs the right to SET ROLE to it, and a superuser for a superuser.");
  }
  RequireLogin(owner);
  RefuseSender(owner);
}

std::string RoleName(Oid role) {
  std::string name;
  pg::Call([&name, role] {
    const char* found = GetUserNameFromId(role, true);
    if (found != nullptr) {
      name = found;
    }
  });
  return name.empty() ? std::to_string(role) : name;
}

std::string QuotedRoleName(Oid role) { return Quoted(RoleName(role).c_str()); }

void NoSuchJob(const std::string& job_name, const catalog::JobDefinition* job) {
  if (job != nullptr && job->is_queue && MaySee(job->owner)) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "job \"" + job_name + "\" does not exist",
                    "A queue has its runs under this name. Use ratchet.alter_queue(), "
                    "ratchet.pause_queue() and the like.");
  }
  throw catalog::MissingJob(job_name);
}

catalog::JobDefinition RequireJob(const std::string& job_name, ItemPointer tid) {
  std::optional<catalog::JobDefinition> job = catalog::FindJobByName(job_name, tid);
  if (!job || job->is_queue) {
    NoSuchJob(job_name, job ? &*job : nullptr);
  }
  RequireMayManage(*job);
  return *std::move(job);
}

std::optional<catalog::JobDefinition> LockJobIfAny(const std::string& job_name, ItemPointer tid) {
  const auto seen = catalog::FindJobByName(job_name);
  if (seen && seen->is_queue) {
    return std::nullopt;
  }
  if (seen) {
    RequireMayManage(*seen);
  }
  const Oid owner = seen ? seen->owner : catalog::OwnerOfName(job_name);
  // The owner of a job that is there may be none: its role was dropped.
  if ((!seen && !OidIsValid(owner)) || !MayManage(owner)) {
    return std::nullopt;
  }
  catalog::LockJobName(job_name, owner);
  auto job = catalog::FindJobByName(job_name, tid);
  if (job) {
    RequireMayManage(*job);
  }
  return job;
}

catalog::JobDefinition LockJob(const std::string& job_name, ItemPointer tid) {
  std::optional<catalog::JobDefinition> job = LockJobIfAny(job_name, tid);
  if (!job) {
    const auto seen = catalog::FindJobByName(job_name);
    NoSuchJob(job_name, seen ? &*seen : nullptr);
  }
  return *std::move(job);
}

}  // namespace ratchet::api
