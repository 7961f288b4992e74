// Items as JSON: how people see them, and how a walk remembers where it is.
#pragma once

#include <string>

#include "batch/items.h"
#include "batch/key.h"
#include "batch/shape.h"

extern "C" {
#include "access/tupdesc.h"
}

namespace ratchet::batch {

class ItemText {
 public:
  // In a transaction. `memory` outlives the object.
  ItemText(const Shape& shape, const Key& key, MemoryContext memory);

  // The key as a JSON object, in the same spelling for the same key.
  std::string KeyOf(const Items& items, int item) const;
  // The same, and empty instead of an error of the type's own functions. In a transaction, as
  // below.
  std::string KeyIfItCan(const Items& items, int item) const;
  // All columns; only the key when they are large or cannot be written as jsonb. In a transaction,
  // while errors and cancels still belong to the job.
  std::string RowOf(const Items& items, int item) const;

 private:
  std::string Write(const Items& items, int item) const;

  const Key& key_;
  TupleDesc descriptor_ = nullptr;
  bool may_fail_ = false;  // some type is not one of the plain ones
};

}  // namespace ratchet::batch
