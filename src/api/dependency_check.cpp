#include "api/dependency_check.h"

#include <algorithm>
#include <set>
#include <vector>

#include "api/job_change.h"
#include "api/privilege.h"
#include "catalog/commit_notice.h"
#include "catalog/missing_job.h"
#include "catalog/role_rights.h"
#include "pg/guard.h"
#include "policy/dependency_graph.h"

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

// So many jobs are named in a message.
constexpr std::size_t kMostNamed = 10;

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

// It would learn how that job fares, and hold up who renames it.
void RequireOwnersRight(const JobDefinition& job, const JobDefinition& parent) {
  if (!catalog::MayManageJobsOf(job.owner, parent.owner)) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "depends_on: role " + Quoted(RoleName(job.owner)) + " may not manage job " +
                        Quoted(parent.job_name) + " of role " + Quoted(RoleName(parent.owner)),
                    "The owner of a job needs the privileges of those on whose jobs it depends: "
                    "GRANT the one role to the other, or give both jobs the same owner.");
  }
}

void RequireParent(const JobDefinition& job, const std::string& name) {
  const auto parent = catalog::FindJobByName(name);
  if (!parent || parent->is_queue) {
    throw pg::Error(
        ERRCODE_UNDEFINED_OBJECT, "depends_on: job " + Quoted(name) + " does not exist",
        catalog::NearJob(name).Hint("job", "Define it before the jobs that depend on it."));
  }
  RequireMayManage(*parent);
  RequireOwnersRight(job, *parent);
}

void RefuseCycle(const JobDefinition& job, const JobDefinition* old) {
  // Whoever depends on the job by its old name will do so by the new one.
  const auto as_renamed = [&](std::vector<std::string> names) {
    if (old != nullptr) {
      std::replace(names.begin(), names.end(), old->job_name, job.job_name);
    }
    return names;
  };
  const Oid group = catalog::GroupOf(job.owner);
  const std::vector<std::string> cycle =
      policy::FindCycle(job.job_name, as_renamed(job.depends_on), [&](const std::string& name) {
        const auto parent = catalog::FindJobByName(name);
        // There is no way back from the job of an owner who does not manage this one's.
        return parent && catalog::GroupOf(parent->owner) == group ? as_renamed(parent->depends_on)
                                                                  : std::vector<std::string>();
      });
  if (cycle.empty()) {
    return;
  }
  std::string way;
  for (std::size_t i = 0; i < cycle.size(); i++) {
    if (cycle.size() > kMostNamed && i == kMostNamed - 2) {
      way += " -> ...";
      i = cycle.size() - 2;
    }
    way += (way.empty() ? "" : " -> ") + Quoted(cycle[i]);
  }
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                  "job " + Quoted(job.job_name) + " would depend on itself: " + way,
                  "Leave out one of these dependencies: none of the jobs would ever run.");
}

// Jobs that name one which their owner may not manage do not depend on it.
std::vector<JobDefinition> DependentsOf(const JobDefinition& job) {
  std::vector<JobDefinition> dependents;
  catalog::FindDependents(job.job_name, &dependents);
  std::erase_if(dependents, [&job](const JobDefinition& dependent) {
    return !catalog::MayManageJobsOf(dependent.owner, job.owner);
  });
  return dependents;
}

void Warn(const std::string& job_name, const std::vector<JobDefinition>& dependents) {
  if (dependents.empty()) {
    return;
  }
  std::vector<std::string> names;
  for (const JobDefinition& job : dependents) {
    if (MaySee(job.owner)) {
      names.push_back(Quoted(job.job_name));
    }
  }
  std::sort(names.begin(), names.end());
  names.resize(std::min(names.size(), kMostNamed));
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "" : ", ") + name;
  }
  if (names.size() < dependents.size()) {
    list += (list.empty() ? "" : " and ") + std::to_string(dependents.size() - names.size()) +
            (list.empty() ? "" : " more");
  }
  pg::Call([&] {
    ereport(WARNING, (errcode(ERRCODE_WARNING),
                      errmsg("jobs depend on job \"%s\": %s", job_name.c_str(), list.c_str()),
                      errhint("They wait until there is a job of this name again. Use "
                              "ratchet.alter_job() to give them another depends_on.")));
  });
}

}  // namespace

void CheckDependencies(const JobDefinition& job, const JobDefinition* old) {
  const bool is_same = old != nullptr && old->job_name == job.job_name && old->owner == job.owner;
  if (job.depends_on.empty() || (is_same && old->depends_on == job.depends_on)) {
    return;
  }
  std::set<std::string> names;
  for (const std::string& name : job.depends_on) {
    if (!names.insert(name).second) {
      throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                      "depends_on names job " + Quoted(name) + " more than once");
    }
    const bool is_known =
        old != nullptr &&
        std::find(old->depends_on.begin(), old->depends_on.end(), name) != old->depends_on.end();
    // The job itself may not be there yet: that is a cycle, and no unknown name.
    if (!is_known && name != job.job_name) {
      RequireParent(job, name);
    } else if (is_known && old->owner != job.owner) {
      const auto parent = catalog::FindJobByName(name);
      if (parent && catalog::MayManageJobsOf(old->owner, parent->owner)) {
        RequireOwnersRight(job, *parent);
      }
    }
  }
  RefuseCycle(job, old);
}

void RenameInDependents(const JobDefinition& job, const std::string& new_name) {
  std::vector<JobDefinition> dependents = DependentsOf(job);
  std::sort(dependents.begin(), dependents.end(),
            [](const JobDefinition& a, const JobDefinition& b) { return a.job_name < b.job_name; });
  const auto others = std::stable_partition(
      dependents.begin(), dependents.end(),
      [](const JobDefinition& dependent) { return MayManage(dependent.owner); });
  Warn(job.job_name, {others, dependents.end()});
  dependents.erase(others, dependents.end());
  for (const JobDefinition& dependent : dependents) {
    catalog::LockJobName(dependent.job_name, dependent.owner);
    ItemPointerData tid;
    // As it is now that nobody else changes it.
    std::optional<JobDefinition> child = catalog::FindJob(dependent.job_id, &tid);
    if (!child || !MayManage(child->owner)) {
      continue;
    }
    const JobDefinition old = *child;
    std::replace(child->depends_on.begin(), child->depends_on.end(), job.job_name, new_name);
    catalog::UpdateJob(&tid, *child);
    RecordChange(&old, &*child);
    catalog::NoteJobChanged(child->job_id);
  }
}

void WarnOfDependents(const JobDefinition& job) { Warn(job.job_name, DependentsOf(job)); }

}  // namespace ratchet::api
