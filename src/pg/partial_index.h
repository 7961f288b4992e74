// Indexes WHERE column IS NOT NULL: the one kind of a predicate that the library's writers keep,
// below the executor.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/pg_list.h"
}

namespace ratchet::pg {

// The column that must not be null, numbered from 1; 0 when the predicate is none of that kind.
int ColumnNotNull(const List* predicate);

// The same of an index, once it was remembered, and as long as nothing happens to it; kNotKnown
// until then. So who writes a row does not open the indexes that it does not go into. For use
// inside pg::Call.
inline constexpr int kNotKnown = -1;
int KnownColumnNotNull(Oid index);
void RememberColumnNotNull(Oid index, int column);

}  // namespace ratchet::pg
