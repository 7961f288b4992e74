// When a busy worker gives its place to another role or database.
#pragma once

#include <cstdint>

namespace ratchet::policy {

// A worker that starts costs milliseconds, so places change hands at this rate and not per run.
constexpr std::int64_t kTurn = 100'000;         // microseconds, when the other has no worker at all
constexpr std::int64_t kLevelTurn = 1'000'000;  // when it has some, but fewer

// own_workers: of this worker's pool, itself included. waiting_workers: of the pool that waits.
// turn: microseconds that this worker has been busy without a rest.
constexpr bool ShouldGiveWay(int own_workers, int waiting_workers, std::int64_t turn) {
  if (waiting_workers == 0) {
    return turn >= kTurn;
  }
  return waiting_workers + 1 < own_workers && turn >= kLevelTurn;
}

}  // namespace ratchet::policy
