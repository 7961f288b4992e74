// How long a job rests after it failed.
#pragma once

#include <cstdint>

namespace ratchet::policy {

struct Backoff {
  std::int64_t base = 60'000'000;  // microseconds
  double factor = 2;
  std::int64_t cap = 3'600'000'000;  // microseconds
  double jitter = 0;                 // share of the delay: 0.1 is +- 10 %

  friend bool operator==(const Backoff&, const Backoff&) = default;
};

// min(cap, base * factor^failures), +- jitter: microseconds. failures >= 1; unit is a random number
// from [0, 1). The defaults give 2, 4, 8, 16, 32, 60 minutes. Never negative, never beyond the cap.
std::int64_t BackoffDelay(const Backoff& backoff, int failures, double unit);

}  // namespace ratchet::policy
