#include "calendar/day_set.h"

#include <algorithm>

#include "calendar/elapsed.h"
#include "calendar/wall_clock.h"

namespace ratchet::calendar {

namespace {

using Stretches = std::vector<DaySet::Stretch>;

// The first stretch that ends after that day.
Stretches::const_iterator NotOver(const Stretches& stretches, std::int64_t day) {
  return std::upper_bound(
      stretches.begin(), stretches.end(), day,
      [](std::int64_t value, const DaySet::Stretch& stretch) { return value < stretch.end; });
}

bool Holds(const Stretches& stretches, std::int64_t day) {
  const auto stretch = NotOver(stretches, day);
  return stretch != stretches.end() && stretch->begin <= day;
}

struct LeftOutReadings {
  const Stretches& stretches;

  bool AtOrAfter(Local local, Local* reading) const {
    const auto stretch = NotOver(stretches, DayOfLocal(local));
    if (stretch == stretches.end()) {
      return false;
    }
    *reading = std::max<Local>(local, stretch->begin * kDay);
    return true;
  }
};

struct KeptReadings {
  const Stretches& stretches;

  bool AtOrAfter(Local local, Local* reading) const {
    const auto stretch = NotOver(stretches, DayOfLocal(local));
    const bool left_out = stretch != stretches.end() && stretch->begin * kDay <= local;
    *reading = left_out ? stretch->end * kDay : local;
    return true;
  }

  bool AtOrBefore(Local local, Local* reading) const {
    const auto stretch = NotOver(stretches, DayOfLocal(local));
    const bool left_out = stretch != stretches.end() && stretch->begin * kDay <= local;
    *reading = left_out ? stretch->begin * kDay - 1 : local;
    return true;
  }
};

}  // namespace

DaySet::DaySet(std::vector<std::int32_t> days) {
  std::sort(days.begin(), days.end());
  for (const std::int32_t day : days) {
    if (day < kFirstSearchedDay || day > kLastSearchedDay) {
      continue;
    }
    if (!stretches_.empty() && day <= stretches_.back().end) {
      stretches_.back().end = std::max(stretches_.back().end, day + 1);
    } else {
      stretches_.push_back({day, day + 1});
    }
  }
}

bool DaySet::IsLeftOut(Instant t, const Zone& zone) const {
  return !empty() && Holds(stretches_, DayOfLocal(LocalAt(ClampInstant(t), zone)));
}

Instant DaySet::FirstLeftOut(Instant from, const Zone& zone) const {
  return FirstShowing(LeftOutReadings{stretches_}, ClampInstant(from), kEndInstant, zone);
}

Instant DaySet::FirstKept(Instant from, const Zone& zone) const {
  return FirstShowing(KeptReadings{stretches_}, ClampInstant(from), kEndInstant, zone);
}

Instant DaySet::LastKept(Instant after, Instant until, const Zone& zone) const {
  return LastShowing(KeptReadings{stretches_}, ClampInstant(after),
                     std::min(ClampInstant(until), kEndInstant - 1), zone);
}

}  // namespace ratchet::calendar
