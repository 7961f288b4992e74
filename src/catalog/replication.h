// Whether the extension's tables take part in logical replication. A subscriber leaves their rows
// out: api/superusers_only.cpp.
#pragma once

#include <string>

namespace ratchet::catalog {

// A subscription of this database that brings rows of them; empty when there is none.
std::string FindSubscription();
// A publication of this database that has them; empty when there is none.
std::string FindPublication();

}  // namespace ratchet::catalog
