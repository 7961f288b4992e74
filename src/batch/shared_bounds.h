// A bound on a column holds for all columns that a join makes equal to it.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace ratchet::batch {

// The planner carries constants over from one side of a join to the other, but no ranges: of two
// tables that are joined by the key in its order, the slice behind a key would begin with that key
// in the one, and with the first row of all in the other. For use inside pg::Call, when the planner
// has made the paths of a table, whatever it is.
void ShareBounds(PlannerInfo* root, RelOptInfo* table, const RangeTblEntry* entry);

}  // namespace ratchet::batch
