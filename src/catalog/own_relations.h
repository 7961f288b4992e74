// Which relations belong to the extension. For use inside of pg::Call, and in hooks of the server.
#pragma once

#include "pg/server.h"

namespace ratchet::catalog {

// A table, view, sequence, index, or table of long values (TOAST) of the extension.
bool IsOurRelation(Oid relation);

// A view that reads one of them, also through other views: LOCK TABLE locks what a view reads.
bool ReadsOurRelation(Oid view);

}  // namespace ratchet::catalog
