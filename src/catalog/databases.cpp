#include "catalog/databases.h"

#include "pg/guard.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
}

namespace ratchet::catalog {

std::vector<FoundDatabase> FindDatabases() {
  std::vector<FoundDatabase> found;
  pg::Call([&found] {
    Relation table = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(table, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
      const auto* database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
      found.push_back(
          {database->oid, database->datdba,
           database->datallowconn && !database->datistemplate && database->datconnlimit != -2});
    }
    table_endscan(scan);
    table_close(table, AccessShareLock);
  });
  return found;
}

}  // namespace ratchet::catalog
