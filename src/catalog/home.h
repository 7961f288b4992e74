// ratchet.home: the server and database that run these jobs.
#pragma once

#include "pg/server.h"

namespace ratchet::catalog {

enum class HomeFinding {
  kHere,
  kNew,        // nobody has run these jobs yet
  kElsewhere,  // the jobs came here in a copy
};

// Needs a transaction. A server that pg_upgrade made from the old one is the same home.
HomeFinding CheckHome();
// A copy without jobs (of a template database with the extension, say) has nothing to hold back: makes
// this the home then, and returns true. Called before the first job is defined.
bool SettleIfEmpty(TimestampTz now);
// When this became the home; 0 when it is not known.
TimestampTz AtHomeSince();
// Makes this the home, and the only one.
void MakeHome(TimestampTz now);

}  // namespace ratchet::catalog
