// Locks on single rows of the extension's tables, so that a session and the scheduler do not write
// the same row at the same time, and do not wait for each other's transactions either.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/lockoptions.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
}

namespace ratchet::pg {

enum class RowLock {
  kLocked,   // until the transaction ends; the row is as it was read
  kChanged,  // somebody has updated or deleted it since: read again
  kBusy,     // another transaction holds it, and we did not want to wait
};

// For use inside pg::Call only.
RowLock LockRow(Relation table, ItemPointer tid, LockTupleMode mode, bool wait);

}  // namespace ratchet::pg
