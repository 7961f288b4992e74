// Whether the command of a job could run if it had to run now.
#pragma once

#include "catalog/job.h"

namespace ratchet::api {

// Warns when a statement of the command cannot be planned as the job's owner: of a table, a
// function or a privilege that is not there. Nothing is executed, and nobody is waited for. What
// earlier statements may make is not missed: behind the first that may do more than read and write
// rows nothing is looked at.
void WarnOfPlan(const catalog::JobDefinition& job);

}  // namespace ratchet::api
