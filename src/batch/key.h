// The key of a walk: how its values are compared and written down.
#pragma once

#include <string>
#include <vector>

#include "batch/shape.h"

extern "C" {
#include "fmgr.h"
}

namespace ratchet::batch {

// A type whose text and JSON depend neither on settings nor on functions of users.
bool IsPlain(Oid type);

class Key {
 public:
  // In a transaction. `memory` outlives the object.
  Key(const Shape& shape, MemoryContext memory);

  int size() const { return static_cast<int>(columns_.size()); }
  bool descending() const { return descending_; }
  // Position of the i-th key column among the columns of the source.
  int position(int i) const { return columns_[static_cast<std::size_t>(i)].position; }
  // The type in which the i-th column's values are passed to queries.
  Oid type(int i) const { return columns_[static_cast<std::size_t>(i)].type; }
  // The columns with their types and the direction: a checkpoint of another key means nothing.
  const std::string& signature() const { return signature_; }
  // The operators of its ordering, as SQL: OPERATOR(pg_catalog.>).
  const std::string& behind(int i) const { return columns_[static_cast<std::size_t>(i)].behind; }
  const std::string& equal(int i) const { return columns_[static_cast<std::size_t>(i)].equal; }

  // All that follows takes the values of one item, in the order of the source's columns or, for
  // Parse, of the key's, and is for use inside pg::Call.

  // As a JSON object, {"id": 42}: exact, and independent of the session's settings.
  void Write(const Datum* item, StringInfo json) const;
  // Back into values, in the current memory context. An error when the text is of another key.
  void Parse(const char* json, Datum* values) const;
  bool Equals(const Datum* item, const Datum* other);
  // The name of a key column that is null; null when none is.
  const char* NullColumn(const bool* nulls) const;

 private:
  struct KeyColumn {
    std::string name;
    int position;
    Oid type;
    std::int32_t typmod;
    Oid collation;
    std::string behind;
    std::string equal;
    FmgrInfo compare;
    FmgrInfo output;
    FmgrInfo input;
    Oid input_parameter;
  };
  static void LookUp(KeyColumn* column, bool descending, MemoryContext memory);

  std::vector<KeyColumn> columns_;
  bool descending_;
  bool plain_ = true;  // no type's text depends on settings
  std::string signature_;
};

}  // namespace ratchet::batch
