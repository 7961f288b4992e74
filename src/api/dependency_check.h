// Jobs that depend on others: what is checked, and what follows, when they are defined.
#pragma once

#include <string>

#include "catalog/job.h"

namespace ratchet::api {

// The names in depends_on are jobs that the caller and the job's owner may manage, each there once,
// and none of them depends on this job. `old` is null for a new job. If the job gets new parents,
// another name or another owner, the caller has called catalog::LockDependencies() before it locked
// a name.
void CheckDependencies(const catalog::JobDefinition& job, const catalog::JobDefinition* old);

// Whoever depends on the job knows it by its new name, as far as the caller may manage it. A
// warning tells of the others.
void RenameInDependents(const catalog::JobDefinition& job, const std::string& new_name);

// A warning that names the jobs which depend on the one that goes.
void WarnOfDependents(const catalog::JobDefinition& job);

}  // namespace ratchet::api
