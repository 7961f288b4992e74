#include <cstddef>
#include <string>

#include "calendar/civil.h"
#include "calendar/parse.h"
#include "calendar/text.h"

namespace ratchet::calendar {

namespace {

constexpr char kOnceHint[] =
    "Write \"at 2027-01-01 00:00\", or with an offset from UTC \"at 2027-01-01 00:00+01\"; without "
    "one it is meant in the job's time zone. A date alone is its midnight.";

class OnceParser {
 public:
  OnceParser(std::string_view text, std::string_view whole) : rest_(text), whole_(whole) {}

  Once Parse() {
    Once once;
    once.time = ParseDate() * kDay;
    if (Trim(rest_).empty()) {
      return once;  // midnight
    }
    if (!TakeSeparator()) {
      Fail();
    }
    once.time += ParseTime();
    rest_ = Trim(rest_);
    if (!rest_.empty()) {
      once.is_instant = true;
      once.time -= ParseOffset() * kSecond;
    }
    if (!rest_.empty()) {
      Fail();
    }
    return once;
  }

 private:
  [[noreturn]] void Fail() const {
    throw ScheduleError("invalid point in time in schedule " + Quote(whole_), kOnceHint);
  }

  [[noreturn]] void Fail(const char* what, std::string_view start, const char* hint) const {
    const std::string_view part = start.substr(0, start.size() - rest_.size());
    throw ScheduleError(
        "invalid " + std::string(what) + " " + Quote(part) + " in schedule " + Quote(whole_), hint);
  }

  bool TakeDigits(std::size_t count, int* number) {
    if (rest_.size() < count || !ParseNumber(rest_.substr(0, count), number)) {
      return false;
    }
    rest_.remove_prefix(count);
    return true;
  }

  bool Take(char c) {
    if (rest_.empty() || ToLower(rest_.front()) != c) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeSeparator() {
    if (Take('t')) {
      return true;
    }
    const std::size_t before = rest_.size();
    rest_ = Trim(rest_);
    return rest_.size() < before && !rest_.empty();
  }

  std::int64_t ParseDate() {
    const std::string_view start = rest_;
    int year = 0;
    int month = 0;
    int day = 0;
    if (!TakeDigits(4, &year) || !Take('-') || !TakeDigits(2, &month) || !Take('-') ||
        !TakeDigits(2, &day)) {
      Fail();
    }
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) {
      Fail("date", start, "There is no such day in the calendar.");
    }
    return DaysFromCivil({year, month, day});
  }

  std::int64_t ParseTime() {
    const std::string_view start = rest_;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!TakeDigits(2, &hour) || !Take(':') || !TakeDigits(2, &minute)) {
      Fail();
    }
    if (Take(':') && !TakeDigits(2, &second)) {
      Fail();
    }
    if (hour > 23 || minute > 59 || second > 59) {
      Fail("time", start, "Times go from 00:00:00 to 23:59:59.999999.");
    }
    return hour * kHour + minute * kMinute + second * kSecond + ParseFraction();
  }

  std::int64_t ParseFraction() {
    if (!Take('.')) {
      return 0;
    }
    std::int64_t micros = 0;
    std::int64_t weight = kSecond;
    int digit = 0;
    while (TakeDigits(1, &digit)) {
      weight /= 10;
      if (weight == 0) {
        Fail();
      }
      micros += digit * weight;
    }
    if (weight == kSecond) {
      Fail();
    }
    return micros;
  }

  // 'Z', '+01', '-0330' or '+05:30', in seconds east of UTC.
  std::int64_t ParseOffset() {
    if (Take('z')) {
      return 0;
    }
    const std::string_view start = rest_;
    const bool west = Take('-');
    if (!west && !Take('+')) {
      Fail();
    }
    int hours = 0;
    int minutes = 0;
    if (!TakeDigits(2, &hours)) {
      Fail();
    }
    const bool has_colon = Take(':');
    if ((has_colon || !rest_.empty()) && !TakeDigits(2, &minutes)) {
      Fail();
    }
    if (hours > 15 || minutes > 59) {
      Fail("offset", start, "Offsets from UTC go from -15:59 to +15:59.");
    }
    const std::int64_t seconds = hours * 3600 + minutes * 60;
    return west ? -seconds : seconds;
  }

  std::string_view rest_;
  std::string_view whole_;
};

}  // namespace

Once ParseOnce(std::string_view text, std::string_view whole) {
  return OnceParser(text, whole).Parse();
}

}  // namespace ratchet::calendar
