// Who may do what. The functions write the tables below all permission checks, so these are the
// checks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "catalog/job.h"

namespace ratchet::api {

// Sees the jobs and runs of this owner: its own ones, and all for superusers and pg_monitor. The
// same rule as the row-level security of the tables.
bool MaySee(Oid owner);

// Changes, triggers and cancels: with the owner's privileges; a superuser's ones only superusers.
bool MayManage(Oid owner);

// Raise 42501 for those who may not.
void RequireMayManage(const catalog::JobDefinition& job);
void RequireMayManageRun(std::int64_t run_id, Oid owner);

// The caller may let commands run as this role, and a worker will be able to connect as it.
void RequireUsableOwner(Oid owner);

// "alice"; the number of a role that does not exist any more.
std::string RoleName(Oid role);
// The same as SQL would have it: "Alice B" in quotes.
std::string QuotedRoleName(Oid role);

// Raises 42704. `job` may be null, or is the hidden one of a queue, which has other functions.
[[noreturn]] void NoSuchJob(const std::string& job_name, const catalog::JobDefinition* job);
// The job; raises 42704 when there is none, 42501 when the caller may not manage it.
catalog::JobDefinition RequireJob(const std::string& job_name, ItemPointer tid = nullptr);
// The same for who is about to change it: whose it is, is looked at before anything is waited for,
// and its name is locked then. Of a job that another transaction of its owner is making, it waits
// for the end of that.
catalog::JobDefinition LockJob(const std::string& job_name, ItemPointer tid = nullptr);
// nullopt where LockJob() says that there is none.
std::optional<catalog::JobDefinition> LockJobIfAny(const std::string& job_name, ItemPointer tid);

}  // namespace ratchet::api
