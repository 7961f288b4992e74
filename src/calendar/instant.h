#pragma once

#include <cstdint>

namespace ratchet::calendar {

// Microseconds since 2000-01-01 00:00 UTC: the representation of PostgreSQL's TimestampTz, so that
// instants cross the border to the backend without conversion.
using Instant = std::int64_t;

// Compares greater than every occurrence; the same bits as PostgreSQL's 'infinity'.
constexpr Instant kNever = INT64_MAX;

// PostgreSQL's timestamps go from 4713-11-24 BC to 294276-12-31. Arguments outside of it (-infinity
// for one) are moved to the nearer end, results outside of it are kNever. The distance to the ends
// of the type also keeps "instant plus offset" from overflowing.
constexpr Instant kMinInstant = -211813488000000000;
constexpr Instant kEndInstant = 9223371331200000000;

constexpr std::int64_t kMillisecond = 1000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

constexpr Instant ClampInstant(Instant t) {
  return t < kMinInstant ? kMinInstant : (t > kEndInstant ? kEndInstant : t);
}

}  // namespace ratchet::calendar
