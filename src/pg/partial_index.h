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

}  // namespace ratchet::pg
