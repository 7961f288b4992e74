// The databases of the server.
#pragma once

#include <vector>

#include "pg/server.h"

namespace ratchet::catalog {

struct FoundDatabase {
  Oid oid;
  Oid owner;
  // False of template databases, too: they are made to be copied, and nobody must be connected to
  // them.
  bool may_have_jobs;
};

// Needs a transaction, and no connection to a database.
std::vector<FoundDatabase> FindDatabases();

}  // namespace ratchet::catalog
