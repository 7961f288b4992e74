#include "catalog/missing_job.h"

#include <utility>
#include <vector>

#include "catalog/job.h"
#include "catalog/role_rights.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::catalog {

pg::NearName NearJob(const std::string& job_name) {
  std::vector<std::pair<std::string, Oid>> jobs;
  ScanJobs(
      [](void* argument, const JobDefinition& job) {
        if (!job.is_queue) {
          static_cast<decltype(jobs)*>(argument)->emplace_back(job.job_name, job.owner);
        }
      },
      &jobs);
  pg::NearName near(job_name);
  for (const auto& [name, owner] : jobs) {
    if (near.IsNearer(name) && MayManageJobsOf(GetUserId(), owner)) {
      near.Offer(name);
    }
  }
  return near;
}

pg::Error MissingJob(const std::string& job_name) {
  return {ERRCODE_UNDEFINED_OBJECT, "job \"" + job_name + "\" does not exist",
          NearJob(job_name).Hint("job")};
}

}  // namespace ratchet::catalog
