#include "calendar/civil.h"

#include <algorithm>

namespace ratchet::calendar {

namespace {

// The algorithms are Howard Hinnant's, "chrono-Compatible Low-Level Date Algorithms": years begin
// in March, so that the leap day is the last one, and 400 years (an era) always have the same
// length.
constexpr std::int64_t kDaysPerEra = 146097;
// Days from 0000-03-01 to 2000-01-01.
constexpr std::int64_t kEpochShift = 730425;

}  // namespace

std::int64_t DaysFromCivil(const CivilDate& date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = FloorDiv(year, 400);
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t month = date.month > 2 ? date.month - 3 : date.month + 9;
  const std::int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kEpochShift;
}

CivilDate CivilFromDays(std::int64_t days) {
  const std::int64_t shifted = days + kEpochShift;
  const std::int64_t era = FloorDiv(shifted, kDaysPerEra);
  const std::int64_t day_of_era = shifted - era * kDaysPerEra;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month = (5 * day_of_year + 2) / 153;
  CivilDate date;
  date.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  date.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

bool IsLeapYear(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(std::int64_t year, int month) {
  if (month == 2) {
    return IsLeapYear(year) ? 29 : 28;
  }
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int WeekdayFromDays(std::int64_t days) {
  // 2000-01-01 was a Saturday.
  const std::int64_t shifted = days + 6;
  return static_cast<int>(shifted - FloorDiv(shifted, 7) * 7);
}

CivilDate AddMonths(const CivilDate& date, std::int64_t months) {
  const std::int64_t total = date.year * 12 + (date.month - 1) + months;
  CivilDate result;
  result.year = FloorDiv(total, 12);
  result.month = static_cast<int>(total - result.year * 12) + 1;
  result.day = std::min(date.day, DaysInMonth(result.year, result.month));
  return result;
}

}  // namespace ratchet::calendar
