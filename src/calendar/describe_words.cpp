#include "calendar/describe_words.h"

#include <bit>
#include <cstddef>

namespace ratchet::calendar {

namespace {

constexpr const char* kMonthNames[] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
constexpr const char* kWeekdayNames[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};

}  // namespace

std::string TwoDigits(std::int64_t value) {
  return (value < 10 ? "0" : "") + std::to_string(value);
}

std::string Join(const std::vector<std::string>& parts, const char* last_separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    text += i == 0 ? "" : (i + 1 < parts.size() ? ", " : last_separator);
    text += parts[i];
  }
  return text;
}

std::string NumberName(int value) { return std::to_string(value); }
std::string MonthName(int value) { return kMonthNames[(value - 1) % 12]; }
std::string WeekdayName(int value) { return kWeekdayNames[value % 7]; }

std::string List(std::uint64_t set, std::string (*name)(int)) {
  std::vector<std::string> parts;
  for (int from = 0; from < 64; ++from) {
    if ((set >> from & 1) == 0) {
      continue;
    }
    const int length = std::countr_one(set >> from);
    if (length >= 3) {
      parts.push_back(name(from) + " to " + name(from + length - 1));
      from += length;
    } else {
      parts.push_back(name(from));
    }
  }
  return Join(parts, " and ");
}

std::string ListWeekdays(std::uint32_t weekdays) {
  return List((weekdays & 0x7e) | (weekdays & 1) << 7, WeekdayName);
}

std::string Numbered(const char* unit, std::uint64_t set) {
  return std::string(unit) + (std::popcount(set) == 1 ? " " : "s ") + List(set, NumberName);
}

std::string ReadingText(Local reading) {
  const CivilDate date = CivilFromDays(DayOfLocal(reading));
  const std::int64_t time = TimeOfLocal(reading);
  const std::string year = std::to_string(date.year);
  std::string text = std::string(year.size() < 4 ? 4 - year.size() : 0, '0') + year + '-' +
                     TwoDigits(date.month) + '-' + TwoDigits(date.day) + ' ' +
                     TwoDigits(time / kHour) + ':' + TwoDigits(time % kHour / kMinute);
  if (time % kMinute != 0) {
    text += ':' + TwoDigits(time % kMinute / kSecond);
  }
  if (time % kSecond != 0) {
    std::string fraction = std::to_string(kSecond + time % kSecond).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += '.' + fraction;
  }
  return text;
}

}  // namespace ratchet::calendar
