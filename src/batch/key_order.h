// What decides the order in which a walk goes, written down beside each position that is kept: a
// position means something only as long as what lies before it is the same.
#pragma once

#include <string>
#include <vector>

#include "batch/shape.h"

namespace ratchet::batch {

struct EnumLabel {
  std::string name;
  Oid id;
};

// One column of a key.
struct ColumnOrder {
  std::string column;
  bool descending = false;
  Oid type = InvalidOid;  // not a domain
  std::int32_t typmod = -1;
  std::string type_name;
  // What else decides: collations, the functions that compare, what a row, an array or a range is
  // made of. Empty for types whose order never changes.
  std::string rules;
  std::vector<EnumLabel> labels;  // of an enum, in their order
  // Where the OIDs are those of this type and these labels; empty for types of the server's own.
  std::string database;
};

using KeyOrder = std::vector<ColumnOrder>;

// In a transaction.
KeyOrder OrderOf(const Shape& shape);

// As text, and back. In a transaction. Empty for a text that is none.
std::string TextOf(const KeyOrder& order);
KeyOrder ParseKeyOrder(const std::string& text);

// Whether a value may be written in another way later, without being another one.
bool HasLabels(const KeyOrder& order);

// Whether both are of the same columns in the same direction, whatever these are.
bool HasSameColumns(const KeyOrder& before, const KeyOrder& now);

// Empty when all that lay before a position of `before` lies before it in `now` too, and it reads
// the same; else the reason why that is not known.
std::string WhyOrderDiffers(const KeyOrder& before, const KeyOrder& now);

// The name that the label of an enum key has now. Both are of the same order.
std::string LabelNow(const ColumnOrder& before, const ColumnOrder& now, const std::string& label);

}  // namespace ratchet::batch
