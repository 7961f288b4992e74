// What a walk by the key of a batch job would be like, found out without running anything.
#pragma once

#include <string>

#include "batch/key_indexes.h"
#include "batch/shape.h"

namespace ratchet::batch {

enum class Sorting {
  kNone,
  kGroups,  // rows that are the same in the first columns of the key
  kAll,     // each batch sorts all that is left
};

struct WalkFindings {
  Uniqueness uniqueness = Uniqueness::kUnknown;
  std::string table;           // of the key, as SQL has to name it
  std::string unique_columns;  // of one of its unique indexes
  std::string nullable;        // key columns that may be null: "a", "b"
  int nullable_count = 0;
  bool has_limit = false;  // of its own, which no batch takes account of
  bool has_order = false;  // of its own, which is not that of the key: no walk obeys it
  Sorting sorts = Sorting::kNone;
  double sorted_rows = 0;          // as the planner estimates
  std::string plan;                // by which it sorts
  std::string key_columns;         // as an index on the table would name them; empty: none can
  bool has_index = false;          // there is one already
  bool takes_concurrently = true;  // such an index can be made while others write
};

// Plans the source as the current user, and throws when it may not be run.
WalkFindings CheckWalk(const catalog::BatchDefinition& batch, const Shape& shape);

// Whether the source may have rows whose key is null in part, as far as its text tells.
bool KeyMayBeNull(const catalog::BatchDefinition& batch, const Shape& shape);

}  // namespace ratchet::batch
