#include "catalog/missing_job.h"

#include <vector>

#include "catalog/job.h"
#include "catalog/role_rights.h"

extern "C" {
#include "miscadmin.h"
#include "utils/varlena.h"
}

namespace ratchet::catalog {
namespace {

// What the server's own function takes at most, in bytes.
constexpr std::size_t kLongest = 255;

int DistanceBetween(const std::string& a, const std::string& b, int most) {
  return pg::Call([&] {
    return varstr_levenshtein_less_equal(a.c_str(), static_cast<int>(a.size()), b.c_str(),
                                         static_cast<int>(b.size()), 1, 1, 1, most, true);
  });
}

}  // namespace

std::string NearJobName(const std::string& job_name) {
  if (job_name.empty() || job_name.size() > kLongest) {
    return {};
  }
  std::vector<JobDefinition> jobs;
  ScanJobs(
      [](void* argument, const JobDefinition& job) {
        if (job.is_queue) {
          return;
        }
        auto* found = static_cast<std::vector<JobDefinition>*>(argument);
        found->emplace_back();
        found->back().job_name = job.job_name;
        found->back().owner = job.owner;
      },
      &jobs);
  // One letter in four may be another one.
  int most = static_cast<int>(job_name.size()) / 4 + 1;
  std::string nearest;
  for (const JobDefinition& job : jobs) {
    if (job.job_name.size() > kLongest || !MayManageJobsOf(GetUserId(), job.owner)) {
      continue;
    }
    const int distance = DistanceBetween(job_name, job.job_name, most);
    if (distance <= most && (nearest.empty() || distance < most)) {
      most = distance;
      nearest = job.job_name;
    }
  }
  return nearest;
}

pg::Error MissingJob(const std::string& job_name) {
  const std::string nearest = NearJobName(job_name);
  return {ERRCODE_UNDEFINED_OBJECT, "job \"" + job_name + "\" does not exist",
          nearest.empty() ? std::string() : "Perhaps you mean job \"" + nearest + "\"."};
}

}  // namespace ratchet::catalog
