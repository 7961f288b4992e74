// bigint[] arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "api/argument.h"

namespace ratchet::api {

// Null, and one that is no plain list, is an error that names the argument.
std::vector<std::int64_t> NumbersOf(const Arguments& arguments, int argument, const char* name);

}  // namespace ratchet::api
