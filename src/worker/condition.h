// The option "only_if": a query that says whether a run is needed.
#pragma once

#include <string>

#include "board/board.h"

namespace ratchet::worker {

extern const char* const kConditionFalse;   // why a run was skipped
extern const char* const kConditionFailed;  // why a run failed without having begun

// Whether the run is one that has a condition: a replay and a new try of failed items do what an
// earlier run had to do, and ask nothing.
bool HasCondition(const board::RunTicket& ticket, const std::string& only_if);

// Whether a run that was not needed gets a record: somebody asked for it by name and may wait for
// it. An ordinary occurrence of the schedule is counted, and leaves nothing behind.
bool IsRecordedWhenNotNeeded(const board::RunTicket& ticket);

// Evaluates the query in a read-only subtransaction, which is rolled back, whatever comes of it:
// nothing in it may write, and nothing that it sets stays. A transaction is open. True when it
// gives true; false for false, null and no row. Throws for what is wrong with it, and when it takes
// longer than ratchet.only_if_timeout. The calling process must let cancels in.
bool EvaluateCondition(const std::string& only_if, int slot);

}  // namespace ratchet::worker
