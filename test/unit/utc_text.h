#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "calendar/civil.h"
#include "calendar/instant.h"

namespace ratchet::calendar {

// '2027-01-01 00:00' or '2027-01-01 00:00:00' as microseconds since 2000: an instant in UTC, or a
// reading of any other clock.
inline std::int64_t Utc(const char* text) {
  long long year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (std::sscanf(text, "%lld-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second) < 5) {
    std::abort();
  }
  return DaysFromCivil({year, month, day}) * kDay + hour * kHour + minute * kMinute +
         second * kSecond;
}

inline std::string UtcText(std::int64_t t) {
  if (t == kNever) {
    return "never";
  }
  const CivilDate date = CivilFromDays(DayOfLocal(t));
  const std::int64_t time = TimeOfLocal(t);
  char text[100];
  std::snprintf(text, sizeof(text), "%04lld-%02d-%02d %02d:%02d:%02d",
                static_cast<long long>(date.year), date.month, date.day,
                static_cast<int>(time / kHour), static_cast<int>(time % kHour / kMinute),
                static_cast<int>(time % kMinute / kSecond));
  std::string result = text;
  if (time % kSecond != 0) {
    std::snprintf(text, sizeof(text), ".%06d", static_cast<int>(time % kSecond));
    result += text;
  }
  return result;
}

}  // namespace ratchet::calendar
