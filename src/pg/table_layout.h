// Whether a table has the columns for which the library was compiled. Rows are read and written by
// the numbers of their columns, below everything that would notice a column of another type: so
// nobody may do that to a table that a superuser has altered, or that another build of the library
// has made.
#pragma once

#include <string_view>

#include "pg/server.h"

extern "C" {
#include "utils/rel.h"
}

namespace ratchet::pg {

constexpr int kMaxColumns = 64;

struct Column {
  const char* name;
  Oid type;
};

// Raises an internal error; where a constant is asked for, the compiler refuses it.
[[noreturn]] void TableHasNoSuchColumn(const char* table, std::string_view column);

// A table of the extension: its columns in their order.
struct TableLayout {
  template <int N>
  constexpr TableLayout(const char* table, const Column (&table_columns)[N])
      : name(table), columns(table_columns), count(N) {
    static_assert(N <= kMaxColumns);
  }

  // From 1.
  constexpr int Number(std::string_view column) const {
    for (int i = 0; i < count; i++) {
      if (columns[i].name == column) {
        return i + 1;
      }
    }
    TableHasNoSuchColumn(name, column);
  }

  const char* name;
  const Column* columns;
  int count;
};

// For the name of a table.
constexpr char kMisfitMessage[] = "table ratchet.%s is not as the loaded library needs it";

struct Misfit {
  char detail[256];
  const char* hint;
};

// The table is open. False, and what is wrong with it, when it must not be used. Costs next to
// nothing for a table that has not changed since it was last looked at. For use inside pg::Call
// only.
bool HasLayout(Relation table, const TableLayout& layout, Misfit* misfit);

}  // namespace ratchet::pg
