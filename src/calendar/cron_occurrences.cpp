#include <algorithm>

#include "calendar/cron.h"
#include "calendar/wall_clock.h"

namespace ratchet::calendar {

namespace {

struct CronReadings {
  const Cron& cron;

  bool AtOrAfter(Local local, Local* reading) const { return MatchAtOrAfter(cron, local, reading); }
  bool AtOrBefore(Local local, Local* reading) const {
    return MatchAtOrBefore(cron, local, reading);
  }
};

// More than two readings of the clock can be out of order: twice the largest offset.
constexpr std::int64_t kMargin = 3 * kDay;

// A rule that matches at all does so once in 40 years, but a gap may lie in the way of just that.
constexpr std::int64_t kElapsedHorizon = 366 * kDay * 400;

// By elapsed time an instant is due when the clock shows a matching reading at it. Between two
// transitions readings and instants differ by a constant; only stretches near a match are visited.
Instant NextElapsed(const Cron& cron, Instant after, const Zone& zone) {
  const Instant horizon =
      after < kEndInstant - kElapsedHorizon ? after + kElapsedHorizon : kEndInstant;
  Instant begin = after + 1;
  while (begin < horizon) {
    const std::int64_t offset = zone.OffsetAt(begin) * kSecond;
    Local match = 0;
    if (!MatchAtOrAfter(cron, begin + offset, &match)) {
      return kNever;
    }
    Instant end = 0;
    int before = 0;
    int next_offset = 0;
    if (!zone.NextTransition(begin, &end, &before, &next_offset) || match - offset < end) {
      return match - offset < kEndInstant ? match - offset : kNever;
    }
    // No reading in [begin + offset, match) matches, so all instants that certainly show one of
    // these can be passed over.
    begin = end - begin > kMargin ? std::max(end, match - kMargin) : end;
  }
  return kNever;
}

// The last transition in (from, until].
bool LastTransition(const Zone& zone, Instant from, Instant until, Instant* at) {
  bool found = false;
  Instant next = 0;
  int before = 0;
  int after = 0;
  while (zone.NextTransition(from, &next, &before, &after) && next <= until) {
    *at = next;
    found = true;
    from = next;
  }
  return found;
}

Instant LastElapsed(const Cron& cron, Instant after, Instant until, const Zone& zone) {
  Instant end = until;
  std::int64_t offset = zone.OffsetAt(end) * kSecond;
  while (end > after) {
    Local match = 0;
    if (!MatchAtOrBefore(cron, end + offset, &match)) {
      return kNever;
    }
    const Instant candidate = match - offset;
    Instant transition = 0;
    if (!LastTransition(zone, std::max(candidate, after), end, &transition)) {
      return candidate > after ? candidate : kNever;
    }
    // As above, backwards: no reading in (match, end + offset] matches.
    end = end - transition > kMargin ? std::min(transition - 1, match + kMargin) : transition - 1;
    offset = zone.OffsetAt(end) * kSecond;
  }
  return kNever;
}

}  // namespace

Instant NextOfCron(const Cron& cron, Instant after, const Zone& zone) {
  return cron.elapsed ? NextElapsed(cron, after, zone)
                      : NextOnWallClock(CronReadings{cron}, after, zone);
}

Instant LastOfCron(const Cron& cron, Instant after, Instant until, const Zone& zone) {
  return cron.elapsed ? LastElapsed(cron, after, until, zone)
                      : LastOnWallClock(CronReadings{cron}, after, until, zone);
}

}  // namespace ratchet::calendar
