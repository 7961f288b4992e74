// The columns of a source as they were when the job was defined: $3 in its action means the column
// that was the third one then, whatever SELECT * gives by now.
#pragma once

#include <string>
#include <vector>

#include "batch/shape.h"

namespace ratchet::batch {

struct PinnedColumn {
  std::string name;
  std::string type;
  bool used = false;  // by the action or the key
};

// As they are kept with the job, one spelling for the same; `used` by the action. In a transaction,
// as is what follows.
std::string PinsOf(const Shape& shape, const std::vector<bool>& used);
std::vector<PinnedColumn> ParsePins(const std::string& json);

// Puts the columns of the shape, which are those that the source gives now, in the place of the
// pinned ones. Throws when one that is used is gone. Of one that is not, null is what is left.
void PlaceColumns(const std::vector<PinnedColumn>& pins, Shape* shape);

// While it exists, the context of an error tells which columns that are used are of another type
// than when the job was defined. Not for use inside pg::Call.
class ColumnTypeContext {
 public:
  ColumnTypeContext(const Shape& shape, const std::string& pins);
  ColumnTypeContext(const ColumnTypeContext&) = delete;
  ColumnTypeContext& operator=(const ColumnTypeContext&) = delete;
  ~ColumnTypeContext() { error_context_stack = callback_.previous; }

 private:
  static void Describe(void* self);

  std::string changes_;
  ErrorContextCallback callback_;
};

}  // namespace ratchet::batch
