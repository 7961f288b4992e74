#include "pg/row_lock.h"

extern "C" {
#include "access/heapam.h"
#include "storage/bufmgr.h"
}

namespace ratchet::pg {

RowLock LockRow(Relation table, ItemPointer tid, LockTupleMode mode, bool wait) {
  HeapTupleData tuple;
  tuple.t_self = *tid;
  Buffer buffer = InvalidBuffer;
  TM_FailureData failure;
  const TM_Result result =
      heap_lock_tuple(table, &tuple, GetCurrentCommandId(true), mode,
                      wait ? LockWaitBlock : LockWaitSkip, false, &buffer, &failure);
  if (BufferIsValid(buffer)) {
    ReleaseBuffer(buffer);
  }
  switch (result) {
    case TM_Ok:
      return RowLock::kLocked;
    case TM_WouldBlock:
      return RowLock::kBusy;
    default:
      return RowLock::kChanged;
  }
}

}  // namespace ratchet::pg
