// Definitions that this process ran, so that the next run of the same version need not read it
// again.
#pragma once

#include <cstdint>

#include "catalog/job_version.h"
#include "worker/run_settings.h"

namespace ratchet::worker {

struct Definition {
  catalog::JobVersion version;
  RunSettings settings;
};

// Valid until the next call. Throws when the definition is not there. In a transaction, which has
// learnt when it began what other sessions did to the table.
const Definition& DefinitionOf(std::int64_t job_id, std::int32_t version);

// Before a run: the plans that the server keeps are those of this definition's earlier runs, or
// none.
void ForgetPlansOfOthers(std::int64_t job_id, std::int32_t version);

}  // namespace ratchet::worker
