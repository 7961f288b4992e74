// How many workers a role may have, and when a busy worker gives its place to another role or
// database.
#pragma once

#include <algorithm>
#include <climits>
#include <cstdint>

namespace ratchet::policy {

// Whoever may have all workers of the server waits for a worker, and not for its share.
constexpr int kNoBound = INT_MAX;

// As ratchet.max_workers_per_role says. 0: one is left to others, where there is more than one.
constexpr int MostWorkersOfRole(int setting, int workers) {
  const int most = setting > 0 ? setting : std::max(1, workers - 1);
  return most < workers ? most : kNoBound;
}

// A worker that starts costs milliseconds, so places change hands at this rate and not per run.
constexpr std::int64_t kTurn = 100'000;         // microseconds, when the other has no worker at all
constexpr std::int64_t kLevelTurn = 1'000'000;  // when it has some, but fewer

// own_workers: of this worker's role, itself included. waiting_workers: of the role that waits. Of
// their pools instead, if that is the same role in another database.
// turn: microseconds that this worker has been busy without a rest.
constexpr bool ShouldGiveWay(int own_workers, int waiting_workers, std::int64_t turn) {
  if (waiting_workers == 0) {
    return turn >= kTurn;
  }
  return waiting_workers + 1 < own_workers && turn >= kLevelTurn;
}

}  // namespace ratchet::policy
