#include "calendar/window.h"

#include <algorithm>

#include "calendar/describe_words.h"
#include "calendar/elapsed.h"

namespace ratchet::calendar {

namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kMinutesOfWeek = 7 * kMinutesOfDay;
constexpr std::int64_t kWeek = 7 * kDay;

using Ranges = std::vector<ActiveWindow::Range>;

// 2000-01-03 was a Monday.
std::int64_t TimeOfWeek(Local local) {
  const Local since_monday = local - 2 * kDay;
  return since_monday - FloorDiv(since_monday, kWeek) * kWeek;
}

// The range whose end is the next one after that time of the week.
Ranges::const_iterator NotOver(const Ranges& ranges, std::int64_t time) {
  return std::find_if(ranges.begin(), ranges.end(), [time](const ActiveWindow::Range& range) {
    return time < range.end * kMinute;
  });
}

bool IsOpenAt(const Ranges& ranges, Local local) {
  const std::int64_t time = TimeOfWeek(local);
  const auto range = NotOver(ranges, time);
  return range != ranges.end() && range->begin * kMinute <= time;
}

struct OpenReadings {
  const Ranges& ranges;

  bool AtOrAfter(Local local, Local* reading) const {
    const std::int64_t time = TimeOfWeek(local);
    const auto range = NotOver(ranges, time);
    *reading = range == ranges.end()
                   ? local - time + kWeek + ranges.front().begin * kMinute
                   : local + std::max<std::int64_t>(range->begin * kMinute - time, 0);
    return true;
  }
};

struct ClosedReadings {
  const Ranges& ranges;

  bool AtOrAfter(Local local, Local* reading) const {
    if (ranges.front().begin == 0 && ranges.front().end == kMinutesOfWeek) {
      return false;
    }
    // Twice at most: over the end of the week. Less than a week in all, which the distance from the
    // last instant to the end of the type allows.
    *reading = local;
    while (IsOpenAt(ranges, *reading)) {
      const std::int64_t time = TimeOfWeek(*reading);
      *reading += NotOver(ranges, time)->end * kMinute - time;
    }
    return true;
  }
};

std::string Clock(int minute) { return TwoDigits(minute / 60) + ':' + TwoDigits(minute % 60); }

// What a window consists of, as people say it: for each day the ranges that begin on it, and
// ranges that span several days.
class WindowDescription {
 public:
  explicit WindowDescription(Ranges ranges) {
    if (ranges.size() > 1 && ranges.front().begin == 0 && ranges.back().end == kMinutesOfWeek) {
      Add(ranges.back().begin, kMinutesOfWeek + ranges.front().end);
      ranges.erase(ranges.begin());
      ranges.pop_back();
    }
    for (const ActiveWindow::Range& range : ranges) {
      Add(range.begin, range.end);
    }
  }

  std::string Text() const {
    std::vector<std::string> parts;
    for (int day = 0; day < 7; ++day) {
      std::uint32_t same = 0;
      int first = 7;
      for (int other = 6; other >= 0 && !days_[day].empty(); --other) {
        if (days_[other] == days_[day]) {
          same |= 1U << (other + 1) % 7;
          first = other;
        }
      }
      if (first == day) {
        parts.push_back(DayText(same, days_[day]));
      }
    }
    parts.insert(parts.end(), spans_.begin(), spans_.end());
    return Join(parts, ", and ");
  }

 private:
  void Add(int begin, int end) {
    const int day = begin / kMinutesOfDay;
    const int from = begin % kMinutesOfDay;
    const int to = from + end - begin;
    if (from == 0 && to % kMinutesOfDay == 0) {
      for (int i = 0; i < to / kMinutesOfDay; ++i) {
        days_[(day + i) % 7].emplace_back();
      }
    } else if (to <= kMinutesOfDay) {
      days_[day].push_back("from " + Clock(from) + " to " + Clock(to));
    } else if (end - begin < kMinutesOfDay) {
      days_[day].push_back("from " + Clock(from) + " to " + Clock(to - kMinutesOfDay) +
                           " of the next day");
    } else {
      spans_.push_back("from " + WeekdayName(day + 1) + ' ' + Clock(from) + " to " +
                       WeekdayName(day + 1 + to / kMinutesOfDay) + ' ' + Clock(to % kMinutesOfDay));
    }
  }

  static std::string DayText(std::uint32_t weekdays, const std::vector<std::string>& ranges) {
    const std::string times = Join(ranges, " and ");
    if (weekdays == 0x7f) {
      return times + " every day";
    }
    return "on " + ListWeekdays(weekdays) + (times.empty() ? "" : " ") + times;
  }

  std::vector<std::string> days_[7];  // from Monday; one that is empty stands for all day
  std::vector<std::string> spans_;
};

}  // namespace

bool ActiveWindow::IsOpen(Instant t, const Zone& zone) const {
  return IsOpenAt(ranges_, LocalAt(ClampInstant(t), zone));
}

Instant ActiveWindow::NextOpening(Instant from, const Zone& zone) const {
  return FirstShowing(OpenReadings{ranges_}, ClampInstant(from), kEndInstant, zone);
}

Instant ActiveWindow::ClosesAt(Instant t, const Zone& zone) const {
  return FirstShowing(ClosedReadings{ranges_}, ClampInstant(t), kEndInstant, zone);
}

std::string ActiveWindow::Describe() const {
  return *this == ActiveWindow() ? "at any time" : WindowDescription(ranges_).Text();
}

}  // namespace ratchet::calendar
