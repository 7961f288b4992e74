// What decides the order of a type's values beside the type itself.
#pragma once

#include "pg/server.h"

extern "C" {
#include "catalog/pg_enum.h"
#include "lib/stringinfo.h"
}

namespace ratchet::batch {

// Those of an enum, in their order. For use inside pg::Call.
const FormData_pg_enum* LabelsOf(Oid type, int* count);

// Appends nothing for a type whose order never changes. Labels of an enum are its own affair, but
// not those of one that is within a row, an array or a range. For use inside pg::Call.
void AppendTypeRules(StringInfo out, Oid type, Oid collation);

}  // namespace ratchet::batch
