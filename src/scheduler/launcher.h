// The launcher: one per server. It starts a scheduler in every database that has the extension, and
// owns nothing else. It is connected to no database, so that it is in nobody's way.
#pragma once

#include "pg/server.h"

namespace ratchet::scheduler {

// Registers the process with the postmaster. Called by _PG_init while preloading.
void RegisterLauncher();

}  // namespace ratchet::scheduler

extern "C" PGDLLEXPORT void ratchet_launcher_main(Datum argument);
