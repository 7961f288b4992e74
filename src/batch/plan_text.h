// A plan as people read it.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/plannodes.h"
}

namespace ratchet::batch {

// What EXPLAIN (COSTS OFF) would print, without the lines behind the first ones. In a transaction,
// with a snapshot, for use inside pg::Call; checks the privileges on the tables. The plan must have
// no parameters.
const char* PlanText(PlannedStmt* plan, const char* query);

}  // namespace ratchet::batch
