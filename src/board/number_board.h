// The greatest numbers that were given in a database since the server started, of runs and of jobs.
// A sequence that is set back, by setval(), by a subscription or by a restore, gives none of them
// twice; one that is set far ahead does not use up the numbers.
#pragma once

#include "board/board.h"

namespace ratchet::board {

enum class NumberClaim {
  kTaken,       // it is greater than all before
  kOutOfOrder,  // it does not follow *highest, up to which others may be in use
  kUnknown,     // nothing is known of this sequence: see LearnNumbers
};
NumberClaim ClaimNumber(Oid database, NumberKind kind, Oid sequence, std::int64_t number,
                        std::int64_t* highest);

// Numbers up to `highest` are in use. False when there is no place to remember that.
bool LearnNumbers(Oid database, NumberKind kind, Oid sequence, std::int64_t highest);

bool KnowsNumbers(Oid database, NumberKind kind, Oid sequence);

}  // namespace ratchet::board
