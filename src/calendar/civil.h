#pragma once

#include <cstdint>

#include "calendar/instant.h"

namespace ratchet::calendar {

// A reading of a wall clock in some zone: microseconds since 2000-01-01 00:00 on that clock. A type
// alias like Instant, but never the same thing: only Resolve() and LocalAt() go from one to the
// other.
using Local = std::int64_t;

// Proleptic Gregorian calendar, astronomical years (year 0 is 1 BC).
struct CivilDate {
  std::int64_t year = 2000;
  int month = 1;  // 1..12
  int day = 1;    // 1..31

  friend bool operator==(const CivilDate&, const CivilDate&) = default;
};

// Days since 2000-01-01. The date has to be a valid one.
std::int64_t DaysFromCivil(const CivilDate& date);
CivilDate CivilFromDays(std::int64_t days);

bool IsLeapYear(std::int64_t year);
int DaysInMonth(std::int64_t year, int month);

// 0 is Sunday, as in cron.
int WeekdayFromDays(std::int64_t days);

// The same day `months` later (or earlier); a day that the month lacks becomes its last one.
CivilDate AddMonths(const CivilDate& date, std::int64_t months);

// Division that rounds towards minus infinity, for instants before 2000. `divisor` is positive.
constexpr std::int64_t FloorDiv(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

constexpr std::int64_t DayOfLocal(Local local) { return FloorDiv(local, kDay); }
constexpr std::int64_t TimeOfLocal(Local local) { return local - DayOfLocal(local) * kDay; }

}  // namespace ratchet::calendar
