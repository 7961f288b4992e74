// Whose scheduler rests when there are more databases with jobs than processes for them: the owners
// of databases share the processes evenly, however many databases each of them has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace ratchet::policy {

struct SchedulerTurn {
  std::uint32_t database;
  std::int64_t active_since;  // microseconds of SteadyTime
  std::int64_t next_due;      // when it has something to do next; 0: now
  std::uint32_t owner = 0;    // of the database
};

// A scheduler is let work at least this long (microseconds).
constexpr std::int64_t kSchedulerTurn = 1'000'000;

// Who has nothing to do for so long gives its place up whoever owns the database.
constexpr std::int64_t kLongRest = 10'000'000;

// Of those that had their turn, and belong to an owner that has as many as any other or have
// nothing to do for long, the one whose next work is the furthest away, and among equals the one
// that has worked the longest. 0: nobody has to rest yet.
inline std::uint32_t WhoRests(const std::vector<SchedulerTurn>& turns, std::int64_t now) {
  std::map<std::uint32_t, int> shares;
  int largest = 0;
  for (const SchedulerTurn& turn : turns) {
    largest = std::max(largest, ++shares[turn.owner]);
  }
  const SchedulerTurn* best = nullptr;
  for (const SchedulerTurn& turn : turns) {
    const bool rests_long = turn.next_due != 0 && turn.next_due - now >= kLongRest;
    if (now - turn.active_since < kSchedulerTurn || (shares[turn.owner] < largest && !rests_long)) {
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
