// The option "only_if": a query that says whether a run is needed.
#pragma once

#include <cstdint>
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

enum class Condition : std::uint8_t {
  kTrue,
  kFalse,  // or null, or no row
  kAgain,  // somebody has changed what it reads: it has to be evaluated in a new transaction
};

// Evaluates the query in a read-only subtransaction, which is rolled back, whatever comes of it:
// nothing in it may write, and nothing that it sets stays. A transaction is open. Throws for what
// is wrong with it, and when it takes longer than ratchet.only_if_timeout. The calling process must
// let cancels in. Attempts count from 1; the last one that there may be is never kAgain.
Condition EvaluateCondition(const std::string& only_if, int slot, int attempt);

}  // namespace ratchet::worker
