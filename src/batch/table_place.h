// Where the rows of a table are.
#pragma once

#include "pg/server.h"

namespace ratchet::batch {

// Whether an extension keeps them somewhere else than in the table (Citus, in shards): then nobody
// here counts or sees what is written to them, and its triggers do not fire. Found out from a plan,
// as the table's owner, whose functions that may run. In a transaction. Throws PgError.
bool IsKeptElsewhere(Oid table);

}  // namespace ratchet::batch
