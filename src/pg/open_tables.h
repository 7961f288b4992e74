// Tables that stay open, with their indexes, until the transaction ends: for a process that writes
// hundreds of rows in one transaction, where opening would cost as much as writing. Their locks are
// held as long in any case.
//
// Everything here is for use inside pg::Call only.
#pragma once

#include "pg/table_layout.h"

extern "C" {
#include "catalog/indexing.h"
#include "storage/lockdefs.h"
}

namespace ratchet::pg {

// From now on in this process.
void KeepTablesOpen();

// The table when it is open already and locked in this mode or a stronger one, else null. The
// caller closes it as if it had opened it.
Relation FindOpenTable(const TableLayout& layout, LOCKMODE mode);

// Keeps it for the next one who asks. Nothing happens in a process that does not keep tables.
void KeepTableOpen(const TableLayout& layout, Relation table, LOCKMODE mode);

// One table for as long as this lives, in any process: for a function that writes many rows. Not
// for use inside pg::Call. Close() is called when all went well; after an error the server closes
// what is open.
class TableHold {
 public:
  TableHold(const TableLayout& layout, LOCKMODE mode);
  TableHold(const TableHold&) = delete;
  TableHold& operator=(const TableHold&) = delete;
  ~TableHold();

  void Close();

 private:
  const TableLayout* layout_;
  bool is_mine_ = false;
};

// The indexes of a table that is kept open, closed with it. Null for another one, and where they
// would have to be opened within a savepoint or a statement, whose end would close them.
CatalogIndexState OpenIndexesOf(Relation table);

}  // namespace ratchet::pg
