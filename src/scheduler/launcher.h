// The launcher: one per server. It starts a scheduler in every database that has the extension, and
// owns nothing else. It is connected to no database, so that it is in nobody's way.
#pragma once

#include "pg/server.h"
#include "policy/steady_time.h"

namespace ratchet::scheduler {

// For a scheduler, before it sleeps until `wake`: starts a launcher when the server's own does not
// come back, and returns when to look again, `wake` at the latest. The server's own takes over from
// it when it comes.
policy::SteadyTime StandInForLauncher(policy::SteadyTime now, policy::SteadyTime wake);

}  // namespace ratchet::scheduler
