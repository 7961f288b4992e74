// The time zone that may be meant by a name that none has.
#pragma once

#include <string>

#include "pg/near_name.h"

namespace ratchet::pg {

// Reads the whole time zone database: for the hint of an error. "Berlin", "europe/Berln" and "New
// York" are near to a zone. In a transaction.
NearName NearZone(const std::string& name);

}  // namespace ratchet::pg
