// text[] arguments that are lists of names.
#pragma once

#include <string>
#include <vector>

#include "api/argument.h"

namespace ratchet::api {

// Without nulls, of one dimension, each element once; raises an error that names the argument. Null
// gives an empty one, and so does an empty array.
std::vector<std::string> NamesIn(const Arguments& arguments, int argument, const char* name);

}  // namespace ratchet::api
