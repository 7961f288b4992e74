#include "api/dependency_check.h"

#include <algorithm>
#include <set>
#include <vector>

#include "api/privilege.h"
#include "catalog/commit_notice.h"
#include "pg/guard.h"
#include "policy/dependency_graph.h"

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

// So many jobs are named in a message.
constexpr std::size_t kMostNamed = 10;

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

void RequireParent(const std::string& name) {
  const auto parent = catalog::FindJobByName(name);
  if (!parent) {
    throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "depends_on: job " + Quoted(name) + " does not exist",
                    "Define it before the jobs that depend on it.");
  }
  RequireMayManage(*parent);
}

void RefuseCycle(const JobDefinition& job, const JobDefinition* old) {
  // Whoever depends on the job by its old name will do so by the new one.
  const auto as_renamed = [&](std::vector<std::string> names) {
    if (old != nullptr) {
      std::replace(names.begin(), names.end(), old->job_name, job.job_name);
    }
    return names;
  };
  const std::vector<std::string> cycle =
      policy::FindCycle(job.job_name, as_renamed(job.depends_on), [&](const std::string& name) {
        const auto parent = catalog::FindJobByName(name);
        return parent ? as_renamed(parent->depends_on) : std::vector<std::string>();
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

}  // namespace

void CheckDependencies(const JobDefinition& job, const JobDefinition* old) {
  const bool is_renamed = old != nullptr && old->job_name != job.job_name;
  if (job.depends_on.empty() ||
      (old != nullptr && old->depends_on == job.depends_on && !is_renamed)) {
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
      RequireParent(name);
    }
  }
  RefuseCycle(job, old);
}

void RenameInDependents(const std::string& old_name, const std::string& new_name) {
  std::vector<JobDefinition> dependents;
  catalog::FindDependents(old_name, &dependents);
  std::sort(dependents.begin(), dependents.end(),
            [](const JobDefinition& a, const JobDefinition& b) { return a.job_name < b.job_name; });
  for (const JobDefinition& dependent : dependents) {
    catalog::LockJobName(dependent.job_name);
    ItemPointerData tid;
    // As it is now that nobody else changes it.
    std::optional<JobDefinition> job = catalog::FindJob(dependent.job_id, &tid);
    if (!job) {
      continue;
    }
    std::replace(job->depends_on.begin(), job->depends_on.end(), old_name, new_name);
    catalog::UpdateJob(&tid, *job);
    catalog::NoteJobChanged(job->job_id);
  }
}

void WarnOfDependents(const std::string& job_name) {
  std::vector<JobDefinition> dependents;
  catalog::FindDependents(job_name, &dependents);
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

}  // namespace ratchet::api
