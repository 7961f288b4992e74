// VACUUM FULL of the owner of a database, or of a member of pg_maintain, without the extension's
// tables: it would rewrite them under a lock that nobody else gets past, and wait for it, with all
// jobs behind it, for whoever has read one of them in a transaction that is still open.
#pragma once

#include "api/strong_locks.h"

namespace ratchet::api {

// As KeepOffOurTables(). What locks nothing that anybody waits for is left alone: a plain VACUUM,
// and an ANALYZE whose lock ends with it.
PlannedStmt* LeaveOurTablesOut(PlannedStmt* statement, ProcessUtilityContext context);

}  // namespace ratchet::api
