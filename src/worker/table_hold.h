// What a run needs of the extension's tables beside the job's text is locked before the moment at
// which it needs it, without standing in the queue of the lock: as long as that lasts, the run is
// seen to wait, and can be canceled.
#pragma once

#include "board/board.h"

namespace ratchet::worker {

// To read what is to be run.
void WaitForDefinition(const board::RunTicket& ticket, int slot);

// To write the record, in the transaction that will commit it. The effects of a run and its record
// are one: a cancel or a time-out takes back both, and no run is done that has no record. So while
// somebody has the table, the run goes on, and holds what it has locked.
void WaitForRecord(int slot);
// The same for a run that has failed, whose own transaction is over. False after a while: the
// scheduler, which is told how it ended, records it when it can.
bool TryWaitForRecord(int slot);

}  // namespace ratchet::worker
