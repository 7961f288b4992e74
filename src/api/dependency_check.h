// Jobs that depend on others: what is checked, and what follows, when they are defined.
#pragma once

#include <string>

#include "catalog/job.h"

namespace ratchet::api {

// The names in depends_on are jobs that the caller may manage, each there once, and none of them
// depends on this job. `old` is null for a new job. If the job gets new parents or another name,
// the caller has called catalog::LockDependencies() before it locked a name.
void CheckDependencies(const catalog::JobDefinition& job, const catalog::JobDefinition* old);

// Whoever depends on the job knows it by its new name.
void RenameInDependents(const std::string& old_name, const std::string& new_name);

// A warning that names the jobs which depend on the one that goes.
void WarnOfDependents(const std::string& job_name);

}  // namespace ratchet::api
