#include "calendar/interval.h"

#include <algorithm>

#include "calendar/civil.h"
#include "calendar/steps_back.h"
#include "calendar/wall_clock.h"

namespace ratchet::calendar {

namespace {

// 400 Gregorian years are 4800 months in 146097 days.
constexpr std::int64_t kAverageMonth = 146097 * kDay / 4800;

// Occurrences 1, 2, ... of a grid on the wall clock; occurrence 0 is an instant, not a reading.
class GridReadings {
 public:
  GridReadings(const Interval& interval, Local anchor)
      : interval_(interval),
        anchor_(anchor),
        anchor_date_(CivilFromDays(DayOfLocal(anchor))),
        period_(interval.months * kAverageMonth + interval.days * kDay + interval.micros) {}

  // False beyond the range of instants.
  bool At(std::int64_t n, Local* reading) const {
    const CivilDate date = AddMonths(anchor_date_, n * interval_.months);
    const std::int64_t time = TimeOfLocal(anchor_) + n * interval_.micros;
    const std::int64_t day = DaysFromCivil(date) + n * interval_.days + DayOfLocal(time);
    if (day > kLastSearchedDay) {
      return false;
    }
    *reading = day * kDay + TimeOfLocal(time);
    return true;
  }

  bool AtOrAfter(Local local, Local* reading) const {
    for (std::int64_t n = std::max<std::int64_t>(Estimate(local) - 2, 1); At(n, reading); ++n) {
      if (*reading >= local) {
        return true;
      }
    }
    return false;
  }

  bool AtOrBefore(Local local, Local* reading) const {
    for (std::int64_t n = Estimate(local) + 2; n >= 1; --n) {
      if (At(n, reading) && *reading <= local) {
        return true;
      }
    }
    return false;
  }

 private:
  // Months differ from the average one, but no sum of n of them does by more than ten days: the
  // result is at most one off.
  std::int64_t Estimate(Local local) const {
    if (local <= anchor_) {
      return 0;
    }
    // The whole range of instants does not fit into a signed difference.
    const std::uint64_t distance =
        static_cast<std::uint64_t>(local) - static_cast<std::uint64_t>(anchor_);
    return static_cast<std::int64_t>(distance / static_cast<std::uint64_t>(period_));
  }

  Interval interval_;
  Local anchor_;
  CivilDate anchor_date_;
  std::int64_t period_;
};

Instant AddElapsed(Instant start, std::int64_t micros) {
  return start < kEndInstant - micros ? start + micros : kNever;
}

void Append(std::string* text, std::int64_t count, const char* unit) {
  if (count == 0) {
    return;
  }
  if (!text->empty()) {
    *text += ' ';
  }
  *text += std::to_string(count) + ' ' + unit;
  if (count != 1) {
    *text += 's';
  }
}

// `micros` in units of 10^digits microseconds, with as many decimals as it takes.
void AppendDecimal(std::string* text, std::int64_t micros, int digits, const char* unit) {
  std::int64_t scale = 1;
  for (int i = 0; i < digits; ++i) {
    scale *= 10;
  }
  if (micros % scale == 0) {
    Append(text, micros / scale, unit);
    return;
  }
  std::string fraction = std::to_string(micros % scale);
  fraction.insert(0, static_cast<std::size_t>(digits) - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!text->empty()) {
    *text += ' ';
  }
  *text += std::to_string(micros / scale) + '.' + fraction + ' ' + unit + 's';
}

}  // namespace

Instant NextOnGrid(const Interval& interval, Instant after, const Zone& zone, Instant anchor) {
  if (after < anchor) {
    return anchor;
  }
  if (interval.IsElapsed()) {
    const auto step = static_cast<std::uint64_t>(interval.micros);
    const std::uint64_t rest = step - Distance(anchor, after) % step;
    return AddElapsed(after, static_cast<std::int64_t>(rest));
  }
  return NextOnWallClock(GridReadings(interval, LocalAt(anchor, zone)), after, zone);
}

Instant LastOnGrid(const Interval& interval, Instant after, Instant until, const Zone& zone,
                   Instant anchor) {
  if (until < anchor || until <= after) {
    return kNever;
  }
  if (interval.IsElapsed()) {
    const auto step = static_cast<std::uint64_t>(interval.micros);
    const Instant last = until - static_cast<std::int64_t>(Distance(anchor, until) % step);
    return last > after ? last : kNever;
  }
  const GridReadings readings(interval, LocalAt(anchor, zone));
  const Instant last = LastOnWallClock(readings, std::max(after, anchor), until, zone);
  return last == kNever && anchor > after ? anchor : last;
}

std::int64_t CountElapsed(const Interval& interval, Instant after, Instant until, Instant anchor) {
  if (until < anchor || until <= after) {
    return 0;
  }
  const auto step = static_cast<std::uint64_t>(interval.micros);
  // Occurrences 0 to n lie at or before `until`, 0 to m at or before `after`.
  const std::uint64_t n = Distance(anchor, until) / step + 1;
  const std::uint64_t m = after < anchor ? 0 : Distance(anchor, after) / step + 1;
  return static_cast<std::int64_t>(n - m);
}

Instant EarlierAnchor(const Interval& interval, Instant anchor, Instant from, const Zone& zone) {
  if (from >= anchor || from < kMinInstant || (interval.months != 0 && interval.days != 0)) {
    return anchor;
  }
  if (interval.IsElapsed()) {
    const auto step = static_cast<std::uint64_t>(interval.micros);
    const std::uint64_t steps = (Distance(from, anchor) + step - 1) / step;
    return Before(anchor, steps * step);
  }
  // 400 Gregorian years have whole days, so that the last days of months are kept. With months the
  // time part may not add up to a whole step of that length.
  if (interval.months != 0 && interval.micros != 0) {
    return anchor;
  }
  const std::uint64_t period =
      interval.months != 0
          ? WholeEras(interval.months)
          : static_cast<std::uint64_t>(std::max(interval.days * kDay + interval.micros, kDay));
  const Local local = LocalAt(anchor, zone);
  // The anchor is an instant at which the clock shows just that: not one that a gap has moved.
  const std::uint64_t most = StepsSinceMin(local, 1, period);
  for (std::uint64_t steps = Distance(from, anchor) / period + 2; steps <= most; ++steps) {
    const Resolution at = Resolve(Before(local, steps * period), zone);
    if (at.kind == LocalKind::kUnique) {
      return at.first;
    }
  }
  return anchor;
}

Instant AddInterval(const Interval& interval, Instant start, const Zone& zone) {
  if (interval.IsElapsed()) {
    return AddElapsed(start, interval.micros);
  }
  Local reading = 0;
  if (!GridReadings(interval, LocalAt(start, zone)).At(1, &reading)) {
    return kNever;
  }
  const Resolution at = Resolve(reading, zone);
  const Instant next = at.first > start ? at.first : at.second;
  return next < kEndInstant ? next : kNever;
}

std::string FormatInterval(const Interval& interval) {
  std::string text;
  Append(&text, interval.months / 12, "year");
  Append(&text, interval.months % 12, "month");
  if (interval.days % 7 == 0) {
    Append(&text, interval.days / 7, "week");
  } else {
    Append(&text, interval.days, "day");
  }
  Append(&text, interval.micros / kHour, "hour");
  Append(&text, interval.micros % kHour / kMinute, "minute");
  const std::int64_t seconds = interval.micros % kMinute;
  if (seconds < kSecond) {
    AppendDecimal(&text, seconds, 3, "millisecond");
  } else {
    AppendDecimal(&text, seconds, 6, "second");
  }
  return text;
}

}  // namespace ratchet::calendar
