// The sequences of the extension. What was set back does not come again: the callers know which
// numbers are in use.
//
// Everything here is for use inside pg::Call only.
#pragma once

#include "pg/server.h"

#include <cstdint>

namespace ratchet::pg {

// Opens it for the next number, until the transaction ends.
Oid OpenSequence(const char* name);

// The greatest one that there is when the sequence is at its end: no error.
std::int64_t NextNumber(Oid sequence);
// The same, and an error when it is at its end: for who draws one after the other.
std::int64_t DrawNumber(Oid sequence);
// One that follows `highest` (policy/numbers.h). A sequence that is behind, or far ahead, is set
// right, which the log tells.
std::int64_t NextNumberAfter(Oid sequence, std::int64_t highest);

// Only one session at a time; others draw numbers meanwhile.
void LockSequence(Oid sequence);
void UnlockSequence(Oid sequence);

// Whether no number has been drawn since the server went to another timeline, as it does when a
// standby is promoted or a backup recovered to a point in time; *last then is where the sequence
// stands. Numbers behind it may have been given elsewhere, and are not known here.
bool IsOfEarlierTimeline(Oid sequence, std::int64_t* last);

}  // namespace ratchet::pg
