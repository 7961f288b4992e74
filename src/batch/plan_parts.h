// What a plan is made of.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/plannodes.h"
}

namespace ratchet::batch {

// Whether all of it is PostgreSQL's own: no node of an extension, and no table whose rows an
// extension stores. Such a plan is thrown away by the server when something that it was made by
// changes. What an extension made it by, and whether it says when that changes, nobody knows: where
// the rows of a chunk are, on which node a shard is. For use inside pg::Call.
//
// A foreign table's node is PostgreSQL's own: what its wrapper plans by is in the catalogs.
bool IsAllOurs(const PlannedStmt* plan);

// Whether there are rows in it that come from nowhere on this server, as far as can be seen: of a
// node of an extension that scans no table and has no plan below it. For use inside pg::Call.
bool ReadsElsewhere(const PlannedStmt* plan);

}  // namespace ratchet::batch
