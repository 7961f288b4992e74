// The options of a job that say when it has nothing to do: only_if and watch.
#pragma once

#include "catalog/job.h"

namespace ratchet::api {

// Raises an error that names the argument unless only_if is a query that the owner may run and that
// gives one boolean column, and watch is made of tables that he may read and whose changes are
// counted. What is the same in `old` (null for a new job) is not checked again.
void CheckConditions(const catalog::JobDefinition& job, const catalog::JobDefinition* old);

}  // namespace ratchet::api
