// oid[], regclass[] and their like. Everything here is for use inside pg::Call only.
#pragma once

#include <vector>

#include "pg/server.h"

namespace ratchet::pg {

// Appends the elements; nulls are left out.
void AppendOidArray(Datum array, std::vector<Oid>* elements);

// One dimension; {} when there are no elements. `type` is that of the elements.
Datum OidArrayOf(const std::vector<Oid>& elements, Oid type);

}  // namespace ratchet::pg
