#include "pg/row_change.h"

#include "pg/compat.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"
}

namespace ratchet::pg {
namespace {

RowHold HoldOf(TM_Result result) {
  switch (result) {
    case TM_Ok:
    case TM_SelfModified:  // deleted or written by this very command: nobody else has it
      return RowHold::kHeld;
    case TM_WouldBlock:
    case TM_BeingModified:
      return RowHold::kBusy;
    default:
      return RowHold::kGone;
  }
}

void ReadSlot(TupleTableSlot* slot, Row* row) {
  // The slot's buffer is about to be released: what the caller keeps must be its own copy.
  HeapTuple copy = ExecCopySlotHeapTuple(slot);
  heap_deform_tuple(copy, slot->tts_tupleDescriptor, row->values, row->nulls);
}

}  // namespace

RowHold HoldRow(Relation table, ItemPointer tid, IfBusy if_busy, Row* row) {
  // What this transaction has written a moment ago is to be seen.
  CommandCounterIncrement();
  TupleTableSlot* slot = table_slot_create(table, nullptr);
  TM_FailureData failure;
  const TM_Result result =
      table_tuple_lock(table, tid, SnapshotSelf, slot, GetCurrentCommandId(true),
                       LockTupleExclusive, if_busy == IfBusy::kWait ? LockWaitBlock : LockWaitSkip,
                       TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
  const RowHold hold = HoldOf(result);
  if (hold == RowHold::kHeld) {
    ItemPointerCopy(&slot->tts_tid, tid);
    if (row != nullptr) {
      ReadSlot(slot, row);
    }
  }
  ExecDropSingleTupleTableSlot(slot);
  return hold;
}

RowHold DeleteRow(Relation table, ItemPointer tid, IfBusy if_busy) {
  const bool pushed = PushSnapshotIfNone();
  TM_Result result = TM_Ok;
  RowHold hold = RowHold::kHeld;
  do {
    TM_FailureData failure;
    result = DeleteFromHeap(table, tid, if_busy == IfBusy::kWait, &failure);
    // Somebody has changed it since it was found. What follows it is looked for, and held, so that
    // the next try is the last one.
    hold = result == TM_Updated ? HoldRow(table, tid, if_busy) : HoldOf(result);
  } while (result == TM_Updated && hold == RowHold::kHeld);
  if (pushed) {
    PopActiveSnapshot();
  }
  return hold;
}

bool IsBeingChanged(Relation table, ItemPointer tid) {
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  HeapTupleData tuple;
  tuple.t_self = *tid;
  Buffer buffer = InvalidBuffer;
  const bool is_there = heap_fetch(table, &dirty, &tuple, &buffer, false);
  if (is_there) {
    ReleaseBuffer(buffer);
  }
  return is_there && TransactionIdIsValid(dirty.xmax);
}

}  // namespace ratchet::pg
