#pragma once

#include <cstdint>
#include <string>

#include "calendar/instant.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// The distance between two occurrences, in PostgreSQL's three units.
//
// Without months and days it is elapsed time. With them all of it is meant on the zone's wall
// clock, the time part too: '1 day 2 hours' moves the clock's hand by 26 hours. Were the time part
// elapsed instead, the wall clock of the n-th occurrence would depend on the offset changes before
// it. So a day is then always 24 hours, and the time part is kept below a day.
struct Interval {
  std::int64_t micros = 0;
  std::int32_t months = 0;
  std::int32_t days = 0;

  bool IsElapsed() const { return months == 0 && days == 0; }

  friend bool operator==(const Interval&, const Interval&) = default;
};

constexpr std::int64_t kMinIntervalMicros = kMillisecond;
constexpr int kMaxIntervalYears = 100;

// The fixed grid: occurrence n is `anchor` + n * `interval`, always computed from the anchor so
// that nothing drifts. Occurrence 0 is the anchor itself, as an instant.
Instant NextOnGrid(const Interval& interval, Instant after, const Zone& zone, Instant anchor);
Instant LastOnGrid(const Interval& interval, Instant after, Instant until, const Zone& zone,
                   Instant anchor);

// Occurrences in (after, until] of an interval for which IsElapsed().
std::int64_t CountElapsed(const Interval& interval, Instant after, Instant until, Instant anchor);

// An anchor at or before `from` whose grid is the same as that of `anchor`, on which it goes on
// into the past; `anchor` itself where there is none. For intervals of months and days the grid
// cannot be told from its later part: they have no past.
Instant EarlierAnchor(const Interval& interval, Instant anchor, Instant from, const Zone& zone);

// One step from any instant. Unlike a grid occurrence it exists in every gap, also in a long one: a
// job that runs after completion has no other occurrence to wait for.
Instant AddInterval(const Interval& interval, Instant start, const Zone& zone);

// '1 hour 30 minutes', in a form that the parser reads back as the same interval.
std::string FormatInterval(const Interval& interval);

}  // namespace ratchet::calendar
