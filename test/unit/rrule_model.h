#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "calendar/rrule.h"

namespace ratchet::calendar {

// What RFC 5545 says about recurrence rules, written down day by day and tick by tick, as slow and
// as simple as can be. It shares nothing with the implementation but the parsed text. DTSTART has
// to be in the text, UNTIL must not be an instant.
class RruleModel {
 public:
  explicit RruleModel(const RuleText& rule) : rule_(rule), start_(*rule.start / kSecond) {
    Complete();
  }

  // All occurrences from DTSTART up to `until`, in seconds.
  std::vector<std::int64_t> Occurrences(std::int64_t until) const {
    std::vector<std::int64_t> all;
    if (Unit() != 0) {
      AddTicks(until, &all);
    } else {
      AddPeriods(until, &all);
    }
    if (rule_.count != 0 && all.size() > static_cast<std::size_t>(rule_.count)) {
      all.resize(static_cast<std::size_t>(rule_.count));
    }
    std::vector<std::int64_t> left;
    for (const std::int64_t t : all) {
      if (t <= until && (!rule_.until || t * kSecond <= rule_.until->time) && !IsLeftOut(t)) {
        left.push_back(t);
      }
    }
    return left;
  }

 private:
  std::int64_t Unit() const {
    switch (rule_.frequency) {
      case Frequency::kSecondly:
        return 1;
      case Frequency::kMinutely:
        return 60;
      case Frequency::kHourly:
        return 3600;
      default:
        return 0;
    }
  }

  bool IsLeftOut(std::int64_t t) const {
    return std::any_of(rule_.left_out.begin(), rule_.left_out.end(), [t](const RuleTime& out) {
      return out.kind == RuleTime::Kind::kDate
                 ? t * kSecond >= out.time && t * kSecond < out.time + kDay
                 : t * kSecond == out.time;
    });
  }

  void Complete() {
    DateParts& d = rule_.dates;
    const std::int64_t day = FloorDiv(start_, 86400);
    const CivilDate date = CivilFromDays(day);
    const bool nothing = d.weekdays.empty() && d.days == 0 && d.days_from_end == 0;
    if (rule_.frequency == Frequency::kWeekly && d.weekdays.empty()) {
      d.weekdays = {{0, WeekdayFromDays(day)}};
    } else if (rule_.frequency == Frequency::kMonthly && nothing) {
      d.days = 1U << date.day;
    } else if (rule_.frequency == Frequency::kYearly && nothing && d.year_days.empty()) {
      if (!d.weeks.empty()) {
        d.weekdays = {{0, WeekdayFromDays(day)}};
      } else {
        d.days = 1U << date.day;
        d.months = d.months != 0 ? d.months : 1U << date.month;
      }
    }
    const std::int64_t time = start_ - day * 86400;
    TimeParts& t = rule_.times;
    if (t.hours == 0 && Unit() == 0) {
      t.hours = 1U << (time / 3600);
    }
    if (t.minutes == 0 && (Unit() == 0 || Unit() == 3600)) {
      t.minutes = std::uint64_t{1} << (time / 60 % 60);
    }
    if (t.seconds == 0 && Unit() != 1) {
      t.seconds = std::uint64_t{1} << (time % 60);
    }
  }

  // First day of week 1 of a year: the first week with four days in it.
  std::int64_t WeekOne(std::int64_t year) const {
    std::int64_t day = DaysFromCivil({year, 1, 4});
    while (WeekdayFromDays(day) != rule_.dates.week_start) {
      --day;
    }
    return day;
  }

  std::int64_t WeekYear(std::int64_t day) const {
    std::int64_t year = CivilFromDays(day).year + 1;
    while (WeekOne(year) > day) {
      --year;
    }
    return year;
  }

  static bool Contains(const std::vector<int>& values, std::int64_t a, std::int64_t b) {
    return std::any_of(values.begin(), values.end(), [a, b](int v) { return v == a || v == b; });
  }

  bool MatchesDate(std::int64_t day) const {
    const DateParts& d = rule_.dates;
    const CivilDate date = CivilFromDays(day);
    const int in_month = DaysInMonth(date.year, date.month);
    const std::int64_t in_year = IsLeapYear(date.year) ? 366 : 365;
    const std::int64_t year_day = day - DaysFromCivil({date.year, 1, 1}) + 1;
    if (d.months != 0 && (d.months >> date.month & 1) == 0) {
      return false;
    }
    if (!d.weeks.empty()) {
      const std::int64_t year = WeekYear(day);
      const std::int64_t number = (day - WeekOne(year)) / 7 + 1;
      const std::int64_t weeks = (WeekOne(year + 1) - WeekOne(year)) / 7;
      if (!Contains(d.weeks, number, number - weeks - 1)) {
        return false;
      }
    }
    if (!d.year_days.empty() && !Contains(d.year_days, year_day, year_day - in_year - 1)) {
      return false;
    }
    if ((d.days != 0 || d.days_from_end != 0) && (d.days >> date.day & 1) == 0 &&
        (d.days_from_end >> (in_month - date.day + 1) & 1) == 0) {
      return false;
    }
    const bool of_month = rule_.frequency == Frequency::kMonthly || rule_.dates.months != 0;
    const std::int64_t from_front = of_month ? date.day : year_day;
    const std::int64_t from_back = of_month ? in_month - date.day + 1 : in_year - year_day + 1;
    return d.weekdays.empty() ||
           std::any_of(d.weekdays.begin(), d.weekdays.end(), [&](const WeekdayPart& part) {
             return part.weekday == WeekdayFromDays(day) &&
                    (part.nth == 0 || part.nth == (from_front + 6) / 7 ||
                     -part.nth == (from_back + 6) / 7);
           });
  }

  std::int64_t Period(std::int64_t day) const {
    const CivilDate date = CivilFromDays(day);
    switch (rule_.frequency) {
      case Frequency::kYearly:
        return rule_.dates.weeks.empty() ? date.year : WeekYear(day);
      case Frequency::kMonthly:
        return date.year * 12 + date.month;
      case Frequency::kWeekly:
        for (std::int64_t first = day;; --first) {
          if (WeekdayFromDays(first) == rule_.dates.week_start) {
            return FloorDiv(first, 7);
          }
        }
      default:
        return day;
    }
  }

  static bool Has(std::uint64_t set, std::int64_t bit) { return (set >> bit & 1) != 0; }

  // BYSETPOS, and what is before DTSTART.
  void Choose(const std::vector<std::int64_t>& set, std::vector<std::int64_t>* all) const {
    for (std::size_t i = 0; i < set.size(); ++i) {
      const auto place = static_cast<std::int64_t>(i);
      const auto size = static_cast<std::int64_t>(set.size());
      if ((rule_.positions.empty() || Contains(rule_.positions, place + 1, place - size)) &&
          set[i] >= start_) {
        all->push_back(set[i]);
      }
    }
  }

  // From which INTERVAL counts: of years, the calendar year of DTSTART.
  std::int64_t FirstPeriod(std::int64_t start_day) const {
    return rule_.frequency == Frequency::kYearly ? CivilFromDays(start_day).year
                                                 : Period(start_day);
  }

  void AddPeriods(std::int64_t until, std::vector<std::int64_t>* all) const {
    const std::int64_t start_day = FloorDiv(start_, 86400);
    const std::int64_t first = FirstPeriod(start_day);
    std::int64_t day = start_day;
    while (Period(day - 1) == Period(start_day)) {
      --day;
    }
    // Up to the end of the last period, for BYSETPOS from the end.
    while (day * 86400 <= until) {
      const std::int64_t period = Period(day);
      std::vector<std::int64_t> set;
      for (; Period(day) == period; ++day) {
        if ((period - first) % rule_.interval != 0 || !MatchesDate(day)) {
          continue;
        }
        for (std::int64_t h = 0; h < 24; ++h) {
          for (std::int64_t m = 0; m < 60 && Has(rule_.times.hours, h); ++m) {
            for (std::int64_t s = 0; s < 60 && Has(rule_.times.minutes, m); ++s) {
              if (Has(rule_.times.seconds, s)) {
                set.push_back(day * 86400 + h * 3600 + m * 60 + s);
              }
            }
          }
        }
      }
      Choose(set, all);
    }
  }

  void AddTicks(std::int64_t until, std::vector<std::int64_t>* all) const {
    const TimeParts& t = rule_.times;
    for (std::int64_t tick = FloorDiv(start_, Unit()) * Unit(); tick <= until;
         tick += Unit() * rule_.interval) {
      const std::int64_t day = FloorDiv(tick, 86400);
      const std::int64_t time = tick - day * 86400;
      if ((t.hours != 0 && !Has(t.hours, time / 3600)) ||
          (Unit() <= 60 && t.minutes != 0 && !Has(t.minutes, time / 60 % 60)) ||
          (Unit() == 1 && t.seconds != 0 && !Has(t.seconds, time % 60)) || !MatchesDate(day)) {
        continue;
      }
      std::vector<std::int64_t> set;
      for (std::int64_t second = tick; second < tick + Unit(); ++second) {
        if ((Unit() == 1 || Has(t.seconds, second % 60 + (second % 60 < 0 ? 60 : 0))) &&
            (Unit() != 3600 || Has(t.minutes, (time + second - tick) / 60 % 60))) {
          set.push_back(second);
        }
      }
      Choose(set, all);
    }
  }

  RuleText rule_;
  std::int64_t start_;
};

}  // namespace ratchet::calendar
