// text[] values. Everything here is for use inside pg::Call only.
#pragma once

#include <string>
#include <vector>

#include "pg/server.h"

namespace ratchet::pg {

// Appends the elements that are not null. Returns how many are.
int AppendTextArray(Datum array, std::vector<std::string>* elements);

// One dimension; {} when there are no elements.
Datum TextArrayOf(const std::vector<std::string>& elements);

}  // namespace ratchet::pg
