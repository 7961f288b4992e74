// What the owner of a job may not do any more: it is asked when the job acts, and a run that would
// need it fails with a record that says so.
#include "scheduler/scheduler.h"

#include "catalog/gone_owner.h"
#include "catalog/queue.h"
#include "catalog/role_check.h"
#include "pg/compat.h"
#include "scheduler/role_changes.h"

extern "C" {
#include "utils/lsyscache.h"
}

namespace ratchet::scheduler {
namespace {

// The answer to "can this role run anything" is good for so long.
constexpr std::int64_t kRoleCheckLifetime = USECS_PER_SEC;

// The name of the first table that is there and that the role may not read; empty: there is none.
std::string FindUnreadable(const std::vector<Oid>& tables, Oid role) {
  std::string name;
  pg::Call([&] {
    for (const Oid table : tables) {
      const char* found = get_rel_name(table);
      if (found != nullptr && !pg::MayRead(table, role)) {
        name = found;
        return;
      }
    }
  });
  return name;
}

}  // namespace

const std::optional<catalog::RunError>& Scheduler::ProblemOf(Oid role_id, Role* role) {
  const std::uint32_t version = RolesVersion();
  if (role->checked_version != version || !role->checked_at.IsSet() ||
      clock_.steady - role->checked_at > kRoleCheckLifetime) {
    Begin();
    role->problem = catalog::CheckRole(role_id, entry_->database);
    role->checked_at = clock_.steady;
    role->checked_version = version;
  }
  return role->problem;
}

std::optional<Scheduler::Hindrance> Scheduler::HindranceOf(Oid role_id) {
  const auto& problem = ProblemOf(role_id, &roles_[role_id]);
  if (!problem) {
    return std::nullopt;
  }
  return Hindrance{*problem, "the owner of the job cannot run anything here"};
}

// Whether a watched table has changed is told to nobody who may not read it.
std::optional<Scheduler::Hindrance> Scheduler::HindranceOfWatch(std::uint32_t index) {
  const std::vector<Oid>* tables = watched_.TablesOf(jobs_[index].job_id);
  if (tables == nullptr) {
    return std::nullopt;
  }
  Begin();
  const std::string table = FindUnreadable(*tables, jobs_[index].owner);
  if (table.empty()) {
    return std::nullopt;
  }
  catalog::RunError error;
  error.sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
  error.message = "permission denied for table " + table;
  error.hint =
      "Grant SELECT on the table to the owner of the job, or give the job other tables to watch "
      "with ratchet.alter_job().";
  return Hindrance{std::move(error), "the owner of the job may not read a table that it watches"};
}

// Roles that were dropped leave jobs behind. These stay, and fail, until somebody gives them to
// another role.
void Scheduler::LookAtOwners(TimestampTz now) {
  const std::uint32_t version = RolesVersion();
  if (!gone_owners_.MustLook(version)) {
    return;
  }
  Begin();
  const std::vector<Oid> gone = gone_owners_.Find(version);
  for (const Oid role : gone) {
    if (DisownJobsOf(role, now)) {
      gone_owners_.JobsAreDone(role);
    }
  }
  bool alerts_changed = false;
  if (!catalog::DisownMessages(gone, &alerts_changed)) {
    gone_owners_.LookAgain();
  }
  if (alerts_changed) {
    WatchAgain(now);
  }
  if (!catalog::RemoveGoneRolesOfQueues()) {
    gone_owners_.LookAgain();
  }
}

// False: somebody has one of them in hand.
bool Scheduler::DisownJobsOf(Oid role, TimestampTz now) {
  std::vector<std::int64_t> jobs;
  for (std::uint32_t i = 0; i < jobs_.end(); i++) {
    if (jobs_[i].alive && !jobs_[i].dropped && jobs_[i].owner == role) {
      jobs.push_back(jobs_[i].job_id);
    }
  }
  bool is_complete = true;
  for (const std::int64_t job_id : jobs) {
    is_complete = catalog::DisownJob(job_id, role) && is_complete;
    RefreshJob(job_id, now);
  }
  return is_complete;
}

void Scheduler::FailWithoutStart(std::uint32_t index, const catalog::QueuedRun& run,
                                 ItemPointer tid, const Hindrance& hindrance, TimestampTz now) {
  const Job& job = jobs_[index];
  catalog::RunRecord record = catalog::RecordOf(run, TermsOf(job, run).job_name, run.payload);
  record.status = policy::RunStatus::kFailed;
  record.finished_at = now;
  record.error = hindrance.error;
  record.reason = hindrance.reason;
  catalog::InsertRunRecordAnyway(&record);
  if (tid != nullptr) {
    catalog::DeleteQueuedRun(run.run_id, run.mark, tid);
  }
  recorded_ = true;
  purge_.Expect(job.job_id, now);
  Settle(index, EndOf(record), now);
}

}  // namespace ratchet::scheduler
