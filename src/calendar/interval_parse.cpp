#include <cstddef>
#include <cstdint>
#include <string>

#include "calendar/parse.h"
#include "calendar/text.h"

namespace ratchet::calendar {

namespace {

// Exactly one of the three is set.
struct Unit {
  std::int32_t months;
  std::int32_t days;
  std::int64_t micros;
};

constexpr Unit kUnits[] = {
    {0, 0, 1},       {0, 0, kMillisecond},
    {0, 0, kSecond}, {0, 0, kMinute},
    {0, 0, kHour},   {0, 1, 0},
    {0, 7, 0},       {1, 0, 0},
    {12, 0, 0},
};
constexpr int kMinuteUnit = 3;
constexpr int kHourUnit = 4;
constexpr int kSecondUnit = 2;

struct UnitName {
  const char* name;
  int unit;
};

// The spellings of PostgreSQL's type interval, where 'm' are minutes.
constexpr UnitName kUnitNames[] = {
    {"us", 0},    {"usec", 0}, {"usecs", 0}, {"microsecond", 0}, {"microseconds", 0},
    {"ms", 1},    {"msec", 1}, {"msecs", 1}, {"millisecond", 1}, {"milliseconds", 1},
    {"s", 2},     {"sec", 2},  {"secs", 2},  {"second", 2},      {"seconds", 2},
    {"m", 3},     {"min", 3},  {"mins", 3},  {"minute", 3},      {"minutes", 3},
    {"h", 4},     {"hr", 4},   {"hrs", 4},   {"hour", 4},        {"hours", 4},
    {"d", 5},     {"day", 5},  {"days", 5},  {"w", 6},           {"week", 6},
    {"weeks", 6}, {"mon", 7},  {"mons", 7},  {"month", 7},       {"months", 7},
    {"y", 8},     {"yr", 8},   {"yrs", 8},   {"year", 8},        {"years", 8},
};

constexpr std::int64_t kMaxMicros = 366 * kDay * kMaxIntervalYears;
constexpr std::int64_t kMaxDays = std::int64_t{366} * kMaxIntervalYears;
constexpr std::int64_t kMaxMonths = std::int64_t{12} * kMaxIntervalYears;
// Ten digits of the largest unit, and nine decimals of an hour, stay within 64 bits.
constexpr std::size_t kMaxDigits = 10;
constexpr std::size_t kMaxDecimals = 9;

constexpr char kFormHint[] =
    "An interval is a number and a unit, or several of them, such as \"5 minutes\" or \"1 hour 30 "
    "minutes\".";
constexpr char kUnitHint[] =
    "Units are milliseconds, seconds, minutes, hours, days, weeks, months and years.";

int FindUnit(std::string_view word) {
  for (const UnitName& name : kUnitNames) {
    if (EqualsIgnoringCase(word, name.name)) {
      return name.unit;
    }
  }
  return -1;
}

class IntervalParser {
 public:
  IntervalParser(std::string_view text, std::string_view whole) : rest_(text), whole_(whole) {}

  Interval Parse(bool allow_bare_unit) {
    if (rest_.empty()) {
      Fail("invalid " + Subject(), kFormHint);
    }
    if (allow_bare_unit && IsLetter(rest_.front())) {
      Add(TakeUnit(), 1, 0, 1);
      SkipSpace();
    }
    while (!rest_.empty()) {
      ParseTerm();
      SkipSpace();
    }
    return Checked();
  }

 private:
  [[noreturn]] static void Fail(const std::string& message, const char* hint) {
    throw ScheduleError(message, hint);
  }

  std::string Subject() const { return "interval schedule " + Quote(whole_); }

  [[noreturn]] void FailRange() const {
    throw ScheduleError(Subject() + " is out of range",
                        "The longest interval is " + std::to_string(kMaxIntervalYears) + " years.");
  }

  void SkipSpace() { rest_ = Trim(rest_); }

  std::string_view TakeDigits() {
    std::size_t length = 0;
    while (length < rest_.size() && IsDigit(rest_[length])) {
      ++length;
    }
    const std::string_view digits = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return digits;
  }

  // '5 minutes', '1.5h' or '01:30:00'.
  void ParseTerm() {
    if (rest_.front() == '-') {
      Fail(Subject() + " is negative", "A schedule goes forward in time.");
    }
    if (rest_.front() == '+') {
      rest_.remove_prefix(1);
    }
    const std::string_view start = rest_;
    const std::string_view digits = TakeDigits();
    if (digits.size() > kMaxDigits) {
      FailRange();
    }
    if (!digits.empty() && !rest_.empty() && rest_.front() == ':') {
      ParseClock(start, ToNumber(digits));
      return;
    }
    std::int64_t fraction = 0;
    std::int64_t scale = 1;
    const bool has_fraction = TakeFraction(&fraction, &scale);
    if (digits.empty() && !has_fraction) {
      std::string_view offending = start;
      Fail("invalid " + Subject() + ": expected a number at " + Quote(TakeWord(&offending)),
           kFormHint);
    }
    const std::string_view number = start.substr(0, start.size() - rest_.size());
    SkipSpace();
    if (rest_.empty() || !IsLetter(rest_.front())) {
      Fail("missing unit after " + Quote(number) + " in " + Subject(), kUnitHint);
    }
    Add(TakeUnit(), ToNumber(digits), fraction, scale);
  }

  // '.25' as fraction 25 of scale 100.
  bool TakeFraction(std::int64_t* fraction, std::int64_t* scale) {
    if (rest_.size() < 2 || rest_.front() != '.' || !IsDigit(rest_[1])) {
      return false;
    }
    rest_.remove_prefix(1);
    const std::string_view decimals = TakeDigits();
    if (decimals.size() > kMaxDecimals) {
      Fail(Subject() + " has too many decimals", "An interval is a multiple of a microsecond.");
    }
    *fraction = ToNumber(decimals);
    for (std::size_t i = 0; i < decimals.size(); ++i) {
      *scale *= 10;
    }
    return true;
  }

  // The rest of 'hours:minutes[:seconds[.fraction]]', from the first colon on.
  void ParseClock(std::string_view start, std::int64_t hours) {
    int parts[2] = {0, 0};
    int count = 0;
    while (count < 2 && !rest_.empty() && rest_.front() == ':') {
      rest_.remove_prefix(1);
      const std::string_view digits = TakeDigits();
      if (digits.size() > 2 || !ParseNumber(digits, &parts[count]) || parts[count] > 59) {
        count = 0;
        break;
      }
      ++count;
    }
    std::int64_t fraction = 0;
    std::int64_t scale = 1;
    if (count == 2) {
      TakeFraction(&fraction, &scale);
    }
    if (count == 0 || (!rest_.empty() && !IsSpace(rest_.front()))) {
      Fail("invalid time " + Quote(TakeWord(&start)) + " in " + Subject(),
           "Write hours:minutes or hours:minutes:seconds, such as \"01:30:00\".");
    }
    Add(kHourUnit, hours, 0, 1);
    Add(kMinuteUnit, parts[0], 0, 1);
    Add(kSecondUnit, parts[1], fraction, scale);
  }

  int TakeUnit() {
    std::size_t length = 0;
    while (length < rest_.size() && IsLetter(rest_[length])) {
      ++length;
    }
    const std::string_view word = rest_.substr(0, length);
    rest_.remove_prefix(length);
    const int unit = FindUnit(word);
    if (unit < 0) {
      Fail("unknown unit " + Quote(word) + " in " + Subject(), kUnitHint);
    }
    return unit;
  }

  static std::int64_t ToNumber(std::string_view digits) {
    std::int64_t value = 0;
    for (const char c : digits) {
      value = value * 10 + (c - '0');
    }
    return value;
  }

  void Add(int index, std::int64_t count, std::int64_t fraction, std::int64_t scale) {
    if ((seen_ >> index & 1) != 0) {
      Fail(Subject() + " has the same unit twice", kFormHint);
    }
    seen_ |= 1U << index;
    const Unit& unit = kUnits[index];
    if (unit.micros == 0 && fraction != 0) {
      Fail(Subject() + " has a fraction of a day or a longer unit",
           "Only units below a day can have decimals.");
    }
    months_ += count * unit.months;
    days_ += count * unit.days;
    if (unit.micros != 0) {
      if (count > kMaxMicros / unit.micros) {
        FailRange();
      }
      micros_ += count * unit.micros + fraction * unit.micros / scale;
    }
    if (months_ > kMaxMonths || days_ > kMaxDays || micros_ > kMaxMicros) {
      FailRange();
    }
  }

  Interval Checked() const {
    if (months_ == 0 && days_ == 0 && micros_ == 0) {
      Fail(Subject() + " has no length", "The shortest interval is 1 millisecond.");
    }
    if (months_ == 0 && days_ == 0 && micros_ < kMinIntervalMicros) {
      Fail(Subject() + " is too short", "The shortest interval is 1 millisecond.");
    }
    Interval interval;
    interval.months = static_cast<std::int32_t>(months_);
    interval.days = static_cast<std::int32_t>(days_);
    interval.micros = micros_;
    if (!interval.IsElapsed()) {
      interval.days += static_cast<std::int32_t>(micros_ / kDay);
      interval.micros = micros_ % kDay;
    }
    return interval;
  }

  std::string_view rest_;
  std::string_view whole_;
  unsigned seen_ = 0;
  std::int64_t months_ = 0;
  std::int64_t days_ = 0;
  std::int64_t micros_ = 0;
};

}  // namespace

bool IsIntervalUnit(std::string_view word) { return FindUnit(word) >= 0; }

Interval ParseInterval(std::string_view text, std::string_view whole, bool allow_bare_unit) {
  return IntervalParser(text, whole).Parse(allow_bare_unit);
}

}  // namespace ratchet::calendar
