// Items in memory: the rows of one batch.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/server.h"

namespace ratchet::batch {

// Values live in the memory of the batch's transaction.
struct Items {
  int columns = 0;
  std::vector<Datum> values;  // of all items, one after the other
  std::vector<char> nulls;    // as bool[]
  std::vector<std::int64_t>
      failed_of;  // rows of ratchet.failed_item; empty when a source is walked

  int size() const { return columns == 0 ? 0 : static_cast<int>(values.size()) / columns; }
  const Datum* Values(int item) const { return values.data() + Offset(item); }
  const bool* Nulls(int item) const {
    return reinterpret_cast<const bool*>(nulls.data() + Offset(item));
  }
  void Clear() {
    values.clear();
    nulls.clear();
    failed_of.clear();
  }

 private:
  std::size_t Offset(int item) const {
    return static_cast<std::size_t>(item) * static_cast<std::size_t>(columns);
  }
};

}  // namespace ratchet::batch
