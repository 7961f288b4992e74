#include "calendar/cron.h"
#include "calendar/elapsed.h"
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

// A rule that matches at all does so once in 40 years, but a gap may lie in the way of just that.
constexpr std::int64_t kElapsedHorizon = 366 * kDay * 400;

}  // namespace

Instant NextOfCron(const Cron& cron, Instant after, const Zone& zone) {
  if (!cron.elapsed) {
    return NextOnWallClock(CronReadings{cron}, after, zone);
  }
  const Instant horizon =
      after < kEndInstant - kElapsedHorizon ? after + kElapsedHorizon : kEndInstant;
  return FirstShowing(CronReadings{cron}, after + 1, horizon, zone);
}

Instant LastOfCron(const Cron& cron, Instant after, Instant until, const Zone& zone) {
  return cron.elapsed ? LastShowing(CronReadings{cron}, after, until, zone)
                      : LastOnWallClock(CronReadings{cron}, after, until, zone);
}

}  // namespace ratchet::calendar
