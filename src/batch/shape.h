// What a batch job's source gives: its columns, and which of them are the key.
#pragma once

#include <string>
#include <vector>

#include "catalog/job.h"

namespace ratchet::batch {

struct Column {
  std::string name;
  Oid type;
  std::int32_t typmod;
  Oid collation;
  int output;  // its position in what the source gives now; -1: it gives it no more, and nobody
               // cares
};

struct Shape {
  std::vector<Column> columns;
  std::vector<int> key;  // positions in columns
  std::vector<int>
      outputs;              // which columns those are that the source gives now; -1: of no interest
  bool descending = false;  // the walk goes from the largest key to the smallest
};

// Analyses the source as the current user, in a transaction, without running it. Throws for a text
// that is not one query with rows, an unknown or ambiguous key column, a key that cannot be
// ordered, and for mixed directions. An entry of `key` is a column's name, or a name followed by
// ASC or DESC. The columns are those that the definition has pinned, if it has; throws for one of
// them that is used and gone.
Shape ShapeOf(const catalog::BatchDefinition& batch);

// Positions of the key in what the source gives.
std::vector<int> KeyOutputs(const Shape& shape);

// Types of the action's parameters $1, $2, ...: those of the columns, or arrays of them. Throws for
// a column that has no array type.
std::vector<Oid> ParameterTypes(const Shape& shape, catalog::Per per);

}  // namespace ratchet::batch
