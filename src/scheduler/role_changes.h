// Whether roles, memberships, databases or schemas have changed.
#pragma once

#include <cstdint>

namespace ratchet::scheduler {

// Grows with each change that this process has heard of by now.
std::uint32_t RolesVersion();

}  // namespace ratchet::scheduler
