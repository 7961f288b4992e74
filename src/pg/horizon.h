// Who keeps the server from removing old rows.
#pragma once

#include <string>

#include "pg/server.h"

namespace ratchet::pg {

// In words; empty when nobody has kept a snapshot, a prepared transaction or a place in the
// transaction log of the catalogs since before `before`.
std::string WhoHoldsHorizon(TimestampTz before);

}  // namespace ratchet::pg
