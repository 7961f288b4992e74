// The clocks. Nothing else in the library asks the system for the time.
#pragma once

#include "pg/server.h"
#include "policy/steady_time.h"

namespace ratchet::pg {

policy::SteadyTime SteadyNow() noexcept;
policy::AwakeTime AwakeNow() noexcept;
// Both of the same moment, as nearly as they can be read.
policy::Moment Now() noexcept;

}  // namespace ratchet::pg
