// A source as part of our own queries.
#pragma once

#include <string>

#include "batch/shape.h"

namespace ratchet::batch {

// Names of our own for the columns: those of the source may be used twice. Positions count from 0.
std::string Alias(int position);
// Of all columns: c1, c2, c3
std::string Aliases(const Shape& shape);

// " FROM (SELECT ...) AS s (c1, c2)": the source without what may follow the query, a semicolon or
// a comment. In a transaction.
std::string FromSource(const std::string& source, const Shape& shape);

// " ORDER BY c1, c2": by the key in the direction of the walk, or in the opposite one.
std::string InOrder(const Shape& shape, bool reverse);

}  // namespace ratchet::batch
