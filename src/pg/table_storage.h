// By which access method a table's rows are stored.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "utils/syscache.h"
}

namespace ratchet::pg {

// By another one than heap: an extension's. A partitioned table has no rows, and if it has an
// access method it is that of the partitions to come.
inline bool IsStoredByExtension(const FormData_pg_class& row) {
  return RELKIND_HAS_TABLE_AM(row.relkind) && row.relkind != RELKIND_PARTITIONED_TABLE &&
         row.relam != HEAP_TABLE_AM_OID;
}

// False for a table that is gone. For use inside pg::Call.
inline bool IsStoredByExtension(Oid table) {
  HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(row)) {
    return false;
  }
  const bool result =
      IsStoredByExtension(*reinterpret_cast<const FormData_pg_class*>(GETSTRUCT(row)));
  ReleaseSysCache(row);
  return result;
}

}  // namespace ratchet::pg
