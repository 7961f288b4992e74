// Whether a worker could connect as the owner of a job: asked before one is started, so that the
// run says why it failed.
#pragma once

#include <optional>

#include "catalog/run_log.h"

namespace ratchet::scheduler {

// Needs a transaction. nullopt: nothing is in the way.
std::optional<catalog::RunError> CheckRole(Oid role, Oid database);

}  // namespace ratchet::scheduler
