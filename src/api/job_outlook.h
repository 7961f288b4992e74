// What a scheduler would make of a job, for who looks ahead from a session.
#pragma once

#include "catalog/job.h"
#include "catalog/job_state.h"
#include "catalog/timing.h"
#include "policy/job_plan.h"

namespace ratchet::api {

// False without the library's shared memory, and in a copy. A database that is not known yet will
// be when the transaction that scheduled has committed.
bool JobsRunInThisDatabase();

catalog::JobState StateOf(const catalog::JobDefinition& job);

// As the scheduler makes it of the same rows: see JobTable::Put and JobTable::PlanOf. It points
// into `timing`.
policy::JobPlan PlanOf(const catalog::JobDefinition& job, const catalog::Timing& timing,
                       const catalog::JobState& state);

}  // namespace ratchet::api
