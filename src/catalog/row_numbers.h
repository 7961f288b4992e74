// Numbers of rows that come from a sequence, for tables that are written so seldom that each number
// can be compared with the newest that is there: one that was set back, or restored, gives none of
// them twice.
#pragma once

#include <cstdint>

#include "pg/table_layout.h"

namespace ratchet::catalog {

// The primary key, an index of this column alone. For use inside pg::Call.
std::int64_t NextRowNumber(const pg::TableLayout& table, const char* primary_key, int column,
                           const char* sequence);

}  // namespace ratchet::catalog
