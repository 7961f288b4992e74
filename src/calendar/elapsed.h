#pragma once

#include <algorithm>

#include "calendar/civil.h"
#include "calendar/instant.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// The instants at which the clock of a zone shows a reading of a set. In both passes of a repeated
// hour, never in a gap: what is meant by elapsed time, and what holds "while the clock shows this".
//
// Readings has, as in wall_clock.h,
//   bool AtOrAfter(Local local, Local* reading) const;
//   bool AtOrBefore(Local local, Local* reading) const;
// which are false when there is none. Between two transitions readings and instants differ by a
// constant; only stretches near a reading of the set are visited.

// More than two readings of the clock can be out of order: twice the largest offset.
constexpr std::int64_t kMargin = 3 * kDay;

// The first one in [from, horizon), or kNever. kMinInstant <= from.
template <typename Readings>
Instant FirstShowing(const Readings& readings, Instant from, Instant horizon, const Zone& zone) {
  Instant begin = from;
  while (begin < horizon) {
    const std::int64_t offset = zone.OffsetAt(begin) * kSecond;
    Local reading = 0;
    const bool found = readings.AtOrAfter(begin + offset, &reading);
    Instant end = 0;
    int before = 0;
    int after = 0;
    const bool ends = zone.NextTransition(begin, &end, &before, &after);
    if (found && (!ends || reading - offset < end)) {
      return reading - offset < kEndInstant ? reading - offset : kNever;
    }
    // A clock that is set back may show again what has passed, but not what is days ago.
    if (!ends || (!found && end - begin > kMargin)) {
      return kNever;
    }
    // No reading in [begin + offset, reading) is in the set, so all instants that certainly show
    // one of these can be passed over.
    begin = end - begin > kMargin ? std::max(end, reading - kMargin) : end;
  }
  return kNever;
}

// The last one in (after, until], or kNever. kMinInstant <= after, until < kEndInstant.
template <typename Readings>
Instant LastShowing(const Readings& readings, Instant after, Instant until, const Zone& zone) {
  Instant end = until;
  while (end > after) {
    const std::int64_t offset = zone.OffsetAt(end) * kSecond;
    Local reading = 0;
    const bool found = readings.AtOrBefore(end + offset, &reading);
    const Instant candidate = found ? reading - offset : end - kMargin;
    Instant transition = 0;
    if (!LastTransition(zone, std::max(candidate, after), end, &transition)) {
      return found && candidate > after ? candidate : kNever;
    }
    // As above, backwards: no reading in (reading, end + offset] is in the set.
    end = found && end - transition > kMargin ? std::min(transition - 1, reading + kMargin)
                                              : transition - 1;
  }
  return kNever;
}

}  // namespace ratchet::calendar
