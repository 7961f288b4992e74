// The row that a unique index has for a key, as it is or held for a change.
#pragma once

#include "pg/row_change.h"
#include "pg/table.h"

namespace ratchet::catalog {

// Whether there is one; read(row) is called with it. set_key(scan) sets the key and returns the
// scan. With a place to tell where it is, the row is held until the transaction ends: one that
// somebody has changed since the scan saw it may not be what was looked for any more, and is looked
// for again. For use inside pg::Call.
template <typename SetKey, typename Read>
bool FindRow(const pg::TableLayout& table, const char* index, ItemPointer tid, SetKey set_key,
             Read read) {
  const LOCKMODE mode = tid != nullptr ? RowExclusiveLock : AccessShareLock;
  bool looks_again = true;
  bool found = false;
  while (looks_again) {
    pg::IndexScan scan(table, index, mode);
    set_key(scan).Begin();
    pg::Row row;
    found = scan.Next(&row, tid);
    looks_again = false;
    if (found && tid != nullptr) {
      ItemPointerData seen = *tid;
      looks_again = pg::HoldRow(scan.table(), tid, pg::IfBusy::kWait, &row) != pg::RowHold::kHeld ||
                    !ItemPointerEquals(&seen, tid);
    }
    if (found && !looks_again) {
      read(row);
    }
    scan.End();
  }
  return found;
}

}  // namespace ratchet::catalog
