// What makes a sensible batch job.
#pragma once

#include "catalog/job.h"

namespace ratchet::api {

// Fills in the key that was not given: the first column of the source. So a source that changes
// later never moves a walk to another key in silence.
void CompleteBatch(catalog::JobDefinition* job);

// Checks source and action as the job's owner, without running them, unless they are those of `old`
// and mean the same; `old` may be null. Warns of what a run will be slow with or fail at.
void CheckBatch(const catalog::JobDefinition& job, const catalog::JobDefinition* old);

// A changed job cannot go on behind the checkpoint of another walk.
void DropVoidCheckpoint(const catalog::JobDefinition& job, const catalog::JobDefinition& old);

}  // namespace ratchet::api
