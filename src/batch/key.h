// The key of a walk: how its values are compared and written down.
#pragma once

#include <string>
#include <vector>

#include "batch/key_order.h"
#include "batch/shape.h"
#include "pg/value_text.h"

extern "C" {
#include "fmgr.h"
#include "utils/jsonb.h"
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
  // Neither settings nor functions of users have a say in how it is written.
  bool is_plain() const { return plain_; }
  // Position of the i-th key column among the columns of the source.
  int position(int i) const { return columns_[static_cast<std::size_t>(i)].position; }
  // The i-th column as the operators of its ordering take it, as SQL.
  const std::string& column(int i) const { return columns_[static_cast<std::size_t>(i)].sql; }
  // The type in which the i-th column's values are passed to queries.
  Oid type(int i) const { return columns_[static_cast<std::size_t>(i)].bound_type; }
  // What a position is written down with: see batch/key_order.h.
  const std::string& signature() const { return signature_; }
  const KeyOrder& order() const { return order_; }
  // The operators of its ordering, in the direction of the walk, as SQL: OPERATOR(pg_catalog.>).
  const std::string& behind(int i) const { return columns_[static_cast<std::size_t>(i)].behind; }
  const std::string& before(int i) const { return columns_[static_cast<std::size_t>(i)].before; }
  const std::string& equal(int i) const { return columns_[static_cast<std::size_t>(i)].equal; }
  const std::string& not_behind(int i) const {
    return columns_[static_cast<std::size_t>(i)].not_behind;
  }
  const std::string& not_before(int i) const {
    return columns_[static_cast<std::size_t>(i)].not_before;
  }

  // A position (empty: none) that was written under another order, as Write would write it now.
  // Throws when what lay before it need not lie before it any more: `what` says whose position it
  // is, and `hint` what can be done.
  std::string Translate(const std::string& position, const std::string& signature,
                        const std::string& what, const std::string& hint) const;
  // A number that does not fit into its column's type any more is still a bound: from here on
  // bounds are passed in a type that can hold it, as long as it is one of those of exact numbers.
  void MakeRoomFor(const std::string& position);
  // In the direction of the walk. Both as Write would write them.
  bool IsBefore(const std::string& position, const std::string& other) const;
  // Why an index may be in another order than the key; empty: nothing is known.
  std::string OutdatedOrder() const;
  // Whether some row can have this key.
  bool CanHave(const std::string& position) const;

  // All that follows takes the values of one item, in the order of the source's columns or, for
  // Parse, of the key's, and is for use inside pg::Call.

  // As a JSON object, {"id": 42}: exact, and independent of the session's settings.
  void Write(const Datum* item, StringInfo json) const;
  // Back into values, in the current memory context. An error when the text is of another key.
  void Parse(const char* json, Datum* values) const;
  // Less than, equal to or greater than 0 in the direction of the walk.
  int Compare(const Datum* item, const Datum* other);
  // The name of a key column that is null; null when none is.
  const char* NullColumn(const bool* nulls) const;

 private:
  struct KeyColumn {
    std::string name;
    int position;
    std::string sql;
    Oid type;
    Oid collation;
    std::string behind;
    std::string before;
    std::string equal;
    std::string not_behind;
    std::string not_before;
    FmgrInfo compare;
    pg::TextOutput output;
    Oid bound_type;
    pg::TextInput input;  // of the bound's type
  };
  static void LookUp(KeyColumn* column, bool descending, MemoryContext memory);
  static void PassAs(Oid type, KeyColumn* column, MemoryContext memory);
  static int CompareBounds(const KeyColumn& column, Datum one, Datum two);
  static bool IsNumber(Oid type, const char* text);
  static char* TextIn(const Jsonb* position, const KeyColumn& column);

  MemoryContext memory_;
  std::vector<KeyColumn> columns_;
  bool descending_;
  bool plain_ = true;  // no type's text depends on settings
  KeyOrder order_;
  std::string signature_;
};

}  // namespace ratchet::batch
