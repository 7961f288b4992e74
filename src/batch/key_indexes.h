// What a table's indexes and constraints say about the key of a walk. Everything here is for use
// inside pg::Call, in a transaction that has a lock on the table.
#pragma once

#include "batch/key_origin.h"

namespace ratchet::batch {

enum class Uniqueness {
  kUnknown,
  kUnique,
  kNotUnique,  // there are unique indexes, but none whose columns are all in the key
  kNoIndex,    // no unique index at all
  kPerTable,   // child tables have rows too, which no unique index of this one knows
};

struct KeyFacts {
  Uniqueness uniqueness = Uniqueness::kUnknown;
  const char* unique_columns = nullptr;  // of the primary key or another unique index: "a, b"
  const char* nullable = nullptr;        // key columns that may be null: "a", "b"
  int nullable_count = 0;
  bool knows_nulls = false;  // else others may be null
  bool has_index = false;    // whose first columns are the key's, without a condition
};

KeyFacts FactsOf(const KeyOrigin& origin, int count);

}  // namespace ratchet::batch
