// Who wants to hear when a relation has changed.
//
// The server has ten places for such callbacks in each process, uses three of them itself, and ends
// the process when there is none left. Extensions like Citus need five. So ours share one.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/inval.h"
}

namespace ratchet::pg {

// As CacheRegisterRelcacheCallback, with 0 as the argument. For use inside pg::Call.
void OnRelationChange(RelcacheCallbackFunction callback);

}  // namespace ratchet::pg
