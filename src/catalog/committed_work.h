// What a run has committed that could not say so itself.
#pragma once

#include "catalog/run_log.h"

namespace ratchet::catalog {

// Adds to the record what the run has committed, and how far it came, as its checkpoint says.
void AddCommitted(RunRecord* record);

}  // namespace ratchet::catalog
