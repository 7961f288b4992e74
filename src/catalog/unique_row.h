// Inserting a row whose key another transaction may be about to insert, or to delete: which of them
// has it is waited for until it is certain, and nobody gets an error.
#pragma once

#include "pg/table.h"

extern "C" {
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
}

namespace ratchet::catalog {

// Everything here is for use inside pg::Call. set_key(scan) sets the key and returns the scan.

// Whether a row has the key: *holder (which may be null) is what it says, *place where it is.
template <typename SetKey>
bool FindHolder(Relation table, const pg::TableLayout& layout, const char* unique_index,
                SetKey set_key, pg::Row* holder, ItemPointer place) {
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    pg::IndexScan scan(layout, unique_index, RowExclusiveLock);
    set_key(scan).Begin(ForwardScanDirection, &dirty);
    pg::Row row;
    const bool found = scan.Next(&row, place);
    // Whose transaction is about to insert or delete the row; the token is that of an insertion
    // which is not certain yet.
    const TransactionId inserter = found ? dirty.xmin : InvalidTransactionId;
    const TransactionId deleter = found ? dirty.xmax : InvalidTransactionId;
    const std::uint32_t token = found ? dirty.speculativeToken : 0;
    scan.End();
    if (!found) {
      return false;
    }
    if (TransactionIdIsValid(inserter) && token != 0) {
      SpeculativeInsertionWait(inserter, token);
    } else if (TransactionIdIsValid(inserter) || TransactionIdIsValid(deleter)) {
      XactLockTableWait(TransactionIdIsValid(inserter) ? inserter : deleter, table, place,
                        XLTW_InsertIndex);
    } else {
      if (holder != nullptr) {
        *holder = row;
      }
      return true;
    }
  }
}

// False when another row has the key. Between the look and the insertion somebody else may have
// inserted it.
template <typename SetKey>
bool InsertUnique(Relation table, const pg::TableLayout& layout, const char* unique_index,
                  SetKey set_key, pg::Row* row, ItemPointer tid, pg::Row* holder,
                  ItemPointer place) {
  while (!FindHolder(table, layout, unique_index, set_key, holder, place)) {
    if (pg::TryInsertRow(table, unique_index, *row, tid)) {
      return true;
    }
  }
  return false;
}

}  // namespace ratchet::catalog
