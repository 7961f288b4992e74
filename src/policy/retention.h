// How long the history of a job is kept.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ratchet::policy {

// When records are looked for that have to go, of which the oldest finished at `oldest`:
// microseconds, like all here. Records may stay a fiftieth of their time longer, at least a second
// and at most an hour: a record is not worth a wake-up of its own.
constexpr std::int64_t PurgeAt(std::int64_t oldest, std::int64_t keep) {
  constexpr std::int64_t kSlackShare = 50;
  constexpr std::int64_t kLeastSlack = 1'000'000;
  constexpr std::int64_t kMostSlack = 3'600'000'000;
  return oldest + keep + std::clamp(keep / kSlackShare, kLeastSlack, kMostSlack);
}

// Records that finished before this go at `now`.
constexpr std::int64_t PurgeBefore(std::int64_t now, std::int64_t keep) { return now - keep; }

}  // namespace ratchet::policy
