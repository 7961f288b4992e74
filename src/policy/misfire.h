// Which of the occurrences that are due runs, and which are recorded as missed.
#pragma once

#include <cstdint>

namespace ratchet::policy {

enum class MisfirePolicy : std::uint8_t { kOnce, kSkip, kAll };

// An occurrence that starts within this time is not late (microseconds).
constexpr std::int64_t kStartGrace = 60'000'000;

// The occurrences that are due at `now`: `count` of them, the latest at `last`.
struct DueOccurrences {
  std::int64_t count = 0;
  std::int64_t last = 0;
  std::int64_t now = 0;
};

enum class Pick : std::uint8_t { kNone, kFirst, kLast };

struct MisfireDecision {
  std::int64_t skip = 0;   // so many of the oldest are recorded as missed
  Pick run = Pick::kLast;  // then this one of the rest runs; kFirst leaves the others due
  bool catchup = false;    // it is a late one
};

// kOnce: the latest runs, the others are missed. kSkip: the latest runs if it is not late. kAll:
// every one runs in its turn, the oldest beyond `limit` are missed.
MisfireDecision DecideMisfire(MisfirePolicy policy, std::int64_t limit, const DueOccurrences& due);

}  // namespace ratchet::policy
