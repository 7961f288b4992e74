// What makes a sensible batch job.
#pragma once

#include "catalog/job.h"

namespace ratchet::api {

// Checks source and action as the job's owner, without running them, unless they are those of `old`
// and mean the same; `old` may be null. Fills in the columns of the source and, if it was not
// given, the key, which is the first of them: so a source that changes later neither moves a walk
// to another key nor the action's parameters to other columns. Returns whether the action uses any.
bool CompleteBatch(catalog::JobDefinition* job, const catalog::JobDefinition* old);

// Likewise for the way of the walk: warns of what a run will be slow with or fail at.
void CheckBatch(const catalog::JobDefinition& job, const catalog::JobDefinition* old,
                bool uses_items);

// A changed job cannot go on behind the checkpoint of another walk.
void DropVoidCheckpoint(const catalog::JobDefinition& job, const catalog::JobDefinition& old);

}  // namespace ratchet::api
