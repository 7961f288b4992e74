// Whether the texts of a batch job fit together, found out as its owner and without running them.
#pragma once

#include "batch/shape.h"
#include "catalog/job.h"

namespace ratchet::api {

// Raises errors for what cannot work, and warnings for what may not.
batch::Shape CheckBatchText(const catalog::JobDefinition& job);

}  // namespace ratchet::api
