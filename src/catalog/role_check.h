// Whether a process can be the owner of a job, so that a run says why it failed.
#pragma once

#include <optional>

#include "catalog/run_error.h"

namespace ratchet::catalog {

// Whether a worker could connect as the role, and run its jobs. Needs a transaction. nullopt:
// nothing is in the way.
std::optional<RunError> CheckRole(Oid role, Oid database);
// For who is connected as the role: an error if it has been dropped, or may not have jobs any more.
// Needs a transaction.
void RequireRole(Oid role);

}  // namespace ratchet::catalog
