#include "calendar/cron.h"

#include <bit>

#include "calendar/civil.h"
#include "calendar/wall_clock.h"

namespace ratchet::calendar {

namespace {

constexpr int kSecondsPerDay = 86400;

// The weekdays of a month of which the first is a 29 February come back after 40 years at the
// latest (1880, 1920: 1900 is no leap year), so every rule that can match does so within these.
constexpr int kMonthsToSearch = 41 * 12;

// All days of a month that have the weekday of its first day.
constexpr std::uint32_t kEverySeventhDay = 1U << 1 | 1U << 8 | 1U << 15 | 1U << 22 | 1U << 29;

constexpr std::uint32_t DaysUpTo(int days_in_month) {
  return static_cast<std::uint32_t>((std::uint64_t{2} << days_in_month) - 2);
}

// Lowest set bit at or above `from`, highest one at or below `from`; -1 when there is none.
int BitFrom(std::uint64_t set, int from) {
  const std::uint64_t rest = from > 63 ? 0 : set >> from << from;
  return rest == 0 ? -1 : std::countr_zero(rest);
}

int BitUpTo(std::uint64_t set, int from) {
  const std::uint64_t rest = from < 0 ? 0 : set << (63 - from) >> (63 - from);
  return rest == 0 ? -1 : 63 - std::countl_zero(rest);
}

// The working day (Monday to Friday) nearest to `day` within its month.
int NearestWorkday(int day, int days_in_month, int first_weekday) {
  const int weekday = (first_weekday + day - 1) % 7;
  if (weekday == 6) {
    return day > 1 ? day - 1 : day + 2;
  }
  if (weekday == 0) {
    return day < days_in_month ? day + 1 : day - 2;
  }
  return day;
}

int LastWorkday(int days_in_month, int first_weekday) {
  const int weekday = (first_weekday + days_in_month - 1) % 7;
  return days_in_month - (weekday == 6 ? 1 : (weekday == 0 ? 2 : 0));
}

std::uint32_t DaysOfDayField(const Cron& cron, int days_in_month, int first_weekday) {
  std::uint32_t days = cron.days;
  for (std::uint32_t rest = cron.days_before_last; rest != 0; rest &= rest - 1) {
    const int day = days_in_month - std::countr_zero(rest);
    if (day >= 1) {
      days |= 1U << day;
    }
  }
  for (std::uint32_t rest = cron.nearest_weekdays; rest != 0; rest &= rest - 1) {
    const int day = std::countr_zero(rest);
    if (day <= days_in_month) {
      days |= 1U << NearestWorkday(day, days_in_month, first_weekday);
    }
  }
  if (cron.last_workday) {
    days |= 1U << LastWorkday(days_in_month, first_weekday);
  }
  return days & DaysUpTo(days_in_month);
}

std::uint32_t DaysOfWeekdayField(const Cron& cron, int days_in_month, int first_weekday) {
  std::uint32_t days = 0;
  for (int weekday = 0; weekday < 7; ++weekday) {
    const int first = 1 + (weekday - first_weekday + 7) % 7;
    if ((cron.weekdays >> weekday & 1) != 0) {
      days |= kEverySeventhDay << (first - 1);
    }
    if ((cron.last_weekdays >> weekday & 1) != 0) {
      days |= 1U << (first + (days_in_month - first) / 7 * 7);
    }
    for (int n = 0; n < 5 && cron.nth_weekdays != 0; ++n) {
      const int day = first + 7 * n;
      if ((cron.nth_weekdays >> (7 * n + weekday) & 1) != 0 && day <= days_in_month) {
        days |= 1U << day;
      }
    }
  }
  return days & DaysUpTo(days_in_month);
}

int SecondOfDay(int hour, int minute, int second) { return (hour * 60 + minute) * 60 + second; }

// First matching second of a day at or after `from`, last one at or before it; -1 if none.
int TimeFrom(const Cron& cron, int from) {
  const int hour = from / 3600;
  const int minute = from / 60 % 60;
  const int first_second = std::countr_zero(cron.seconds);
  const int first_minute = std::countr_zero(cron.minutes);
  if ((cron.hours >> hour & 1) != 0) {
    if ((cron.minutes >> minute & 1) != 0) {
      const int second = BitFrom(cron.seconds, from % 60);
      if (second >= 0) {
        return SecondOfDay(hour, minute, second);
      }
    }
    const int later_minute = BitFrom(cron.minutes, minute + 1);
    if (later_minute >= 0) {
      return SecondOfDay(hour, later_minute, first_second);
    }
  }
  const int later_hour = BitFrom(cron.hours, hour + 1);
  return later_hour < 0 ? -1 : SecondOfDay(later_hour, first_minute, first_second);
}

int TimeUpTo(const Cron& cron, int from) {
  const int hour = from / 3600;
  const int minute = from / 60 % 60;
  const int last_second = 63 - std::countl_zero(cron.seconds);
  const int last_minute = 63 - std::countl_zero(cron.minutes);
  if ((cron.hours >> hour & 1) != 0) {
    if ((cron.minutes >> minute & 1) != 0) {
      const int second = BitUpTo(cron.seconds, from % 60);
      if (second >= 0) {
        return SecondOfDay(hour, minute, second);
      }
    }
    const int earlier_minute = BitUpTo(cron.minutes, minute - 1);
    if (earlier_minute >= 0) {
      return SecondOfDay(hour, earlier_minute, last_second);
    }
  }
  const int earlier_hour = BitUpTo(cron.hours, hour - 1);
  return earlier_hour < 0 ? -1 : SecondOfDay(earlier_hour, last_minute, last_second);
}

bool InRange(std::int64_t day) { return day >= kFirstSearchedDay && day <= kLastSearchedDay; }

std::uint32_t MatchingDaysOf(const Cron& cron, const CivilDate& month) {
  if ((cron.months >> month.month & 1) == 0) {
    return 0;
  }
  const std::int64_t first = DaysFromCivil({month.year, month.month, 1});
  return MatchingDays(cron, DaysInMonth(month.year, month.month), WeekdayFromDays(first));
}

// First matching date at or after `day`, in days; last one at or before it.
bool DayFrom(const Cron& cron, std::int64_t day, std::int64_t* match) {
  CivilDate date = CivilFromDays(day);
  int from = date.day;
  for (int i = 0; i < kMonthsToSearch; ++i) {
    const int found = BitFrom(MatchingDaysOf(cron, date), from);
    if (found > 0) {
      *match = DaysFromCivil({date.year, date.month, found});
      return InRange(*match);
    }
    date.day = 1;
    date = AddMonths(date, 1);
    from = 1;
  }
  return false;
}

bool DayUpTo(const Cron& cron, std::int64_t day, std::int64_t* match) {
  CivilDate date = CivilFromDays(day);
  int from = date.day;
  for (int i = 0; i < kMonthsToSearch; ++i) {
    const int found = BitUpTo(MatchingDaysOf(cron, date), from);
    if (found > 0) {
      *match = DaysFromCivil({date.year, date.month, found});
      return InRange(*match);
    }
    date.day = 1;
    date = AddMonths(date, -1);
    from = 31;
  }
  return false;
}

}  // namespace

std::uint32_t MatchingDays(const Cron& cron, int days_in_month, int first_weekday) {
  const std::uint32_t by_day = DaysOfDayField(cron, days_in_month, first_weekday);
  const std::uint32_t by_weekday = DaysOfWeekdayField(cron, days_in_month, first_weekday);
  // Vixie cron: either one matches when both are restricted, and what starts with '*' is not.
  return cron.day_star || cron.weekday_star ? by_day & by_weekday : by_day | by_weekday;
}

bool CanEverMatch(const Cron& cron) {
  if (cron.seconds == 0 || cron.minutes == 0 || cron.hours == 0) {
    return false;
  }
  // Each month starts with each weekday sooner or later, February also in leap years.
  for (int month = 1; month <= 12; ++month) {
    if ((cron.months >> month & 1) == 0) {
      continue;
    }
    for (int weekday = 0; weekday < 7; ++weekday) {
      if (MatchingDays(cron, DaysInMonth(2000, month), weekday) != 0 ||
          MatchingDays(cron, DaysInMonth(2001, month), weekday) != 0) {
        return true;
      }
    }
  }
  return false;
}

bool MatchAtOrAfter(const Cron& cron, Local local, Local* match) {
  const std::int64_t from = -FloorDiv(-local, kSecond);
  const std::int64_t day = FloorDiv(from, kSecondsPerDay);
  std::int64_t found = 0;
  if (!DayFrom(cron, day, &found)) {
    return false;
  }
  int time = found == day ? TimeFrom(cron, static_cast<int>(from - day * kSecondsPerDay))
                          : TimeFrom(cron, 0);
  if (time < 0) {
    if (!DayFrom(cron, day + 1, &found)) {
      return false;
    }
    time = TimeFrom(cron, 0);
  }
  *match = found * kDay + time * kSecond;
  return true;
}

bool MatchAtOrBefore(const Cron& cron, Local local, Local* match) {
  const std::int64_t from = FloorDiv(local, kSecond);
  const std::int64_t day = FloorDiv(from, kSecondsPerDay);
  std::int64_t found = 0;
  if (!DayUpTo(cron, day, &found)) {
    return false;
  }
  int time = found == day ? TimeUpTo(cron, static_cast<int>(from - day * kSecondsPerDay))
                          : TimeUpTo(cron, kSecondsPerDay - 1);
  if (time < 0) {
    if (!DayUpTo(cron, day - 1, &found)) {
      return false;
    }
    time = TimeUpTo(cron, kSecondsPerDay - 1);
  }
  *match = found * kDay + time * kSecond;
  return true;
}

}  // namespace ratchet::calendar
