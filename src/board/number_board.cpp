#include "board/number_board.h"

#include <algorithm>

#include "board/database_list.h"
#include "policy/numbers.h"

namespace ratchet::board {
namespace {

// The lock is held. Null when there is no place.
HighestNumber* FindPlace(Oid database, NumberKind kind) {
  DatabaseEntry* entry = FindEntry(database);
  return entry != nullptr ? &entry->numbers[static_cast<int>(kind)] : nullptr;
}

}  // namespace

NumberClaim ClaimNumber(Oid database, NumberKind kind, Oid sequence, std::int64_t number,
                        std::int64_t* highest) {
  if (TheBoard() == nullptr) {
    return NumberClaim::kUnknown;
  }
  const Lock lock;
  HighestNumber* place = FindPlace(database, kind);
  // That of an extension that was dropped has another OID.
  if (place == nullptr || place->sequence != sequence) {
    return NumberClaim::kUnknown;
  }
  if (!policy::IsNextNumber(number, place->number)) {
    *highest = place->number;
    return NumberClaim::kOutOfOrder;
  }
  place->number = number;
  return NumberClaim::kTaken;
}

bool LearnNumbers(Oid database, NumberKind kind, Oid sequence, std::int64_t highest) {
  if (TheBoard() == nullptr) {
    return false;
  }
  const Lock lock;
  HighestNumber* place = FindPlace(database, kind);
  if (place == nullptr) {
    return false;
  }
  *place = {sequence, place->sequence == sequence ? std::max(place->number, highest) : highest};
  return true;
}

bool KnowsNumbers(Oid database, NumberKind kind, Oid sequence) {
  if (TheBoard() == nullptr) {
    return false;
  }
  const Lock lock(LW_SHARED);
  const HighestNumber* place = FindPlace(database, kind);
  return place != nullptr && place->sequence == sequence;
}

}  // namespace ratchet::board
