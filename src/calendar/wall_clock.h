#pragma once

#include "calendar/civil.h"
#include "calendar/instant.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// How occurrences that are meant on the wall clock meet daylight saving: the rules of cronie. The
// clock readings of a rule become instants by a map that never decreases, so "the first instant
// after t" is "the first reading from FirstReadingAfter(t) on". That keeps occurrences strictly
// increasing and makes one of those that a gap moves to the same instant.

// Occurrences in a longer gap do not run: the zone skipped a day, it did not change to summer time.
constexpr std::int64_t kLongestBridgedGap = 3 * kHour;

inline bool IsBridged(const Resolution& at) {
  return at.kind != LocalKind::kGap || at.local_end - at.local_begin <= kLongestBridgedGap;
}

// Searches for readings end here. Clocks differ from UTC by little more than a day, and arithmetic
// with both has to stay within 64 bits: that is 8 days beyond the last instant.
constexpr std::int64_t kFirstSearchedDay = kMinInstant / kDay - 3;
constexpr std::int64_t kLastSearchedDay = kEndInstant / kDay + 3;

// The readings from this one on are due after t, those before it at t or earlier. For a t in the
// second pass of a repeated hour this is the hour's end: its readings were due in the first pass.
inline Local FirstReadingAfter(Instant t, const Zone& zone) {
  const Local local = LocalAt(t, zone);
  const Resolution at = Resolve(local, zone);
  return at.kind == LocalKind::kRepeated && at.first < t ? at.local_end : local + 1;
}

// When `local` is due, or kNever.
inline Instant DueAt(Local local, const Zone& zone) {
  const Resolution at = Resolve(local, zone);
  return IsBridged(at) ? at.first : kNever;
}

// Readings is a set of clock readings with
//   bool AtOrAfter(Local local, Local* reading) const;
//   bool AtOrBefore(Local local, Local* reading) const;
// which are false when there is none. kMinInstant <= after, until < kEndInstant.

template <typename Readings>
Instant NextOnWallClock(const Readings& readings, Instant after, const Zone& zone) {
  Local from = FirstReadingAfter(after, zone);
  Local reading = 0;
  while (readings.AtOrAfter(from, &reading)) {
    const Resolution at = Resolve(reading, zone);
    if (IsBridged(at)) {
      return at.first < kEndInstant ? at.first : kNever;
    }
    from = at.local_end;
  }
  return kNever;
}

template <typename Readings>
Instant LastOnWallClock(const Readings& readings, Instant after, Instant until, const Zone& zone) {
  Local to = FirstReadingAfter(until, zone) - 1;
  Local reading = 0;
  while (readings.AtOrBefore(to, &reading)) {
    const Resolution at = Resolve(reading, zone);
    if (IsBridged(at)) {
      return at.first > after ? at.first : kNever;
    }
    to = at.local_begin - 1;
  }
  return kNever;
}

}  // namespace ratchet::calendar
