// ratchet.home: the server and database that run these jobs.
#pragma once

#include "pg/server.h"

namespace ratchet::catalog {

enum class HomeFinding {
  kHere,
  kNew,        // nobody has run these jobs yet
  kElsewhere,  // the jobs came here in a copy of the database
  kCopied,     // the whole server is a copy, and nobody has said yet that they run here
};

// Needs a transaction. A server that pg_upgrade made from the old one is the same home.
HomeFinding CheckHome();
// A copy without jobs (of a template database with the extension, say) has nothing to hold back:
// makes this the home then, and returns true. Called before the first job is defined.
bool SettleIfEmpty(TimestampTz now);
struct Home {
  TimestampTz since = 0;  // 0: not known
  // Whether jobs that are older than the home may run here. Otherwise they came in a copy, of which
  // the row of ratchet.home was not restored yet (pg_restore loads tables in any order).
  bool adopted = true;
};
Home FindHome();
// Makes this the home, and the only one.
void MakeHome(TimestampTz now, bool adopted);

}  // namespace ratchet::catalog
