#pragma once

#include <cstdint>

namespace ratchet::policy {

// How long a job that runs continuously rests when it finds nothing to do. Microseconds.
constexpr std::int64_t kShortestIdlePause = 100'000;
constexpr std::int64_t kLongestIdlePause = 10'000'000;

// After its n-th empty run in a row: 0 for n = 0 (the run did something), else the shortest pause,
// doubled for each further empty run up to the longest.
std::int64_t IdlePause(std::int64_t empty_runs);

}  // namespace ratchet::policy
