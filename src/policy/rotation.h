// Whose scheduler rests when there are more databases with jobs than processes for them.
#pragma once

#include <cstdint>
#include <vector>

namespace ratchet::policy {

struct SchedulerTurn {
  std::uint32_t database;
  std::int64_t active_since;  // microseconds of SteadyTime
  std::int64_t next_due;      // when it has something to do next; 0: now
};

// A scheduler is let work at least this long (microseconds).
constexpr std::int64_t kSchedulerTurn = 1'000'000;

// Of those that had their turn, the one whose next work is the furthest away, and among equals the
// one that has worked the longest. 0: nobody has to rest yet.
inline std::uint32_t WhoRests(const std::vector<SchedulerTurn>& turns, std::int64_t now) {
  const SchedulerTurn* best = nullptr;
  for (const SchedulerTurn& turn : turns) {
    if (now - turn.active_since < kSchedulerTurn) {
      continue;
    }
    if (best == nullptr || turn.next_due > best->next_due ||
        (turn.next_due == best->next_due && turn.active_since < best->active_since)) {
      best = &turn;
    }
  }
  return best == nullptr ? 0 : best->database;
}

}  // namespace ratchet::policy
