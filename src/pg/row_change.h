// Changing a row of the extension's tables that somebody else may change at the same time.
//
// pg/table.h writes by tuple id, and whoever finds that the version at hand is not the newest one
// any more gets an error that helps nobody ("tuple concurrently updated"). So a row is either
// written by one process only, which its table's file in catalog/ says, or it is held first: the
// newest version is found and locked, and what it says then decides what is written. What it means
// that a row is gone is up to each table, too.
//
// The reads of these tables are those of the moment, in every isolation level (IndexScan), so that
// a session under "repeatable read" holds and changes the newest version as any other one does.
//
// Everything here is for use inside pg::Call only.
#pragma once

#include "pg/table.h"

namespace ratchet::pg {

// What to do when another transaction that has not ended has the row in hand. A process that others
// depend on, or that cannot be canceled at the moment, does not wait.
enum class IfBusy { kWait, kGiveUp };

enum class RowHold {
  kHeld,  // until the transaction ends
  kGone,  // deleted by a transaction that has committed
  kBusy,  // another one has it in hand
};

// Locks the newest version of the row that was found at *tid, which then is its place, and reads it
// (`row` may be null). The caller looks whether it is still what it looked for.
RowHold HoldRow(Relation table, ItemPointer tid, IfBusy if_busy, Row* row = nullptr);

// Deletes the row that was found at *tid, in whichever version.
RowHold DeleteRow(Relation table, ItemPointer tid, IfBusy if_busy = IfBusy::kWait);

// Whether a transaction that has not ended changes or deletes the row at tid. Who only locks it
// does not count.
bool IsBeingChanged(Relation table, ItemPointer tid);

}  // namespace ratchet::pg
