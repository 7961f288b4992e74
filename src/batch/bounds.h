// The part of a walk that a query of ours reads: a condition on the key.
#pragma once

#include <cstdint>
#include <string>

#include "batch/key.h"

namespace ratchet::batch {

enum class BoundsForm : std::uint8_t {
  // The planner takes the two ends of a range together, and where their values are parameters it
  // believes that 0.5 % of the rows are between them. It does not see that a comparison of rows is
  // the other end, and an index can answer it all the same.
  kRows,
  // For a key whose columns are those of several tables, or are compared by operators of different
  // names: the first column by itself bounds the table that it comes from.
  kRowsBehindFirst,
  // For a foreign server, to which comparisons of rows cannot be sent.
  kColumns,
  // For an estimate with the values known, from which the planner takes the range.
  kRange,
};

// " WHERE ..." for items behind a key and up to another one, whose columns are parameters from $1
// on, in that order; empty without either.
std::string Bounds(const Key& key, BoundsForm form, bool lower, bool upper);

}  // namespace ratchet::batch
