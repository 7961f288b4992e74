// Tokens prove whose attempt at a task it is.
#pragma once

#include <cstdint>

namespace ratchet::catalog {

// Random, greater than 0, and exact in languages whose numbers are doubles.
std::int64_t NewTaskToken();

}  // namespace ratchet::catalog
