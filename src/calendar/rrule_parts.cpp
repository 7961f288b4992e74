#include "calendar/rrule_parts.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "calendar/parse.h"
#include "calendar/schedule.h"
#include "calendar/text.h"

namespace ratchet::calendar {

namespace {

enum class Part : std::uint8_t {
  kFreq,
  kInterval,
  kCount,
  kUntil,
  kWkst,
  kBySecond,
  kByMinute,
  kByHour,
  kByDay,
  kByMonthDay,
  kByYearDay,
  kByWeekNo,
  kByMonth,
  kBySetPos,
  kUnknown,
};

constexpr std::array<const char*, 14> kPartNames = {
    "FREQ",   "INTERVAL", "COUNT",      "UNTIL",     "WKST",     "BYSECOND", "BYMINUTE",
    "BYHOUR", "BYDAY",    "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH",  "BYSETPOS"};

constexpr std::array<const char*, 7> kWeekdays = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

constexpr std::array<const char*, 7> kFrequencies = {"SECONDLY", "MINUTELY", "HOURLY", "DAILY",
                                                     "WEEKLY",   "MONTHLY",  "YEARLY"};

template <std::size_t size>
int IndexOf(const std::array<const char*, size>& names, std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [name](const char* other) {
    return EqualsIgnoringCase(name, other);
  });
  return static_cast<int>(found - names.begin());
}

// '-12', '+3', '7'. False for anything else.
bool ParseSigned(std::string_view text, int* number) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative || (!text.empty() && text.front() == '+')) {
    text.remove_prefix(1);
  }
  if (!ParseNumber(text, number)) {
    return false;
  }
  *number = is_negative ? -*number : *number;
  return true;
}

template <typename Value>
void MakeSet(std::vector<Value>* values, bool (*less)(const Value&, const Value&)) {
  std::sort(values->begin(), values->end(), less);
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

bool IsLess(const int& a, const int& b) { return a < b; }
bool IsEarlier(const WeekdayPart& a, const WeekdayPart& b) {
  return a.nth != b.nth ? a.nth < b.nth : a.weekday < b.weekday;
}

class PartParser {
 public:
  PartParser(std::string_view parts, std::string_view whole, RuleText* rule)
      : rest_(parts), whole_(whole), rule_(*rule), dates_(rule->dates) {}

  void Parse() {
    do {
      const std::size_t end = rest_.find(';');
      ParsePart(rest_.substr(0, end));
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    } while (!rest_.empty());
    if (!Has(Part::kFreq)) {
      FailInRule("RRULE without FREQ", "FREQ=", whole_, kFreqHint);
    }
    if (Has(Part::kCount) && Has(Part::kUntil)) {
      Fail(Part::kCount, "A rule ends by COUNT or by UNTIL, not by both.");
    }
    MakeSet(&dates_.year_days, IsLess);
    MakeSet(&dates_.weeks, IsLess);
    MakeSet(&rule_.positions, IsLess);
    MakeSet(&dates_.weekdays, IsEarlier);
    CheckCombination();
  }

 private:
  static constexpr char kFreqHint[] =
      "FREQ is one of SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY and YEARLY.";

  bool Has(Part part) const { return !shown_[static_cast<std::size_t>(part)].empty(); }

  [[noreturn]] void Fail(Part part, const std::string& hint) const {
    FailInRule("rule part", shown_[static_cast<std::size_t>(part)], whole_, hint);
  }

  [[noreturn]] void FailValue(std::string_view value, const std::string& hint) const {
    FailInRule("rule part", name_ + '=' + std::string(value), whole_, hint);
  }

  void ParsePart(std::string_view part) {
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const int index = IndexOf(kPartNames, name);
    if (EqualsIgnoringCase(name, "RSCALE") || EqualsIgnoringCase(name, "SKIP")) {
      FailInRule("rule part", part, whole_,
                 "Only the Gregorian calendar of RFC 5545 is known, without RSCALE and SKIP.");
    }
    if (equals == std::string_view::npos || index == static_cast<int>(Part::kUnknown)) {
      FailInRule(
          "rule part", part, whole_,
          "The parts of an RRULE are FREQ, INTERVAL, COUNT, UNTIL, WKST, BYSECOND, BYMINUTE, "
          "BYHOUR, BYDAY, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYMONTH and BYSETPOS, as in "
          "\"FREQ=DAILY;BYHOUR=9\".");
    }
    std::string& shown = shown_[static_cast<std::size_t>(index)];
    if (!shown.empty()) {
      FailInRule("second rule part", part, whole_, "Each part may be given once.");
    }
    shown = part;
    name_ = kPartNames[static_cast<std::size_t>(index)];
    ParseValue(static_cast<Part>(index), part.substr(equals + 1));
  }

  void ParseValue(Part part, std::string_view value) {
    switch (part) {
      case Part::kFreq:
        ParseFrequency(value);
        break;
      case Part::kInterval:
        rule_.interval = Number(value, 1, kMaxRuleInterval, "");
        break;
      case Part::kCount:
        rule_.count = Number(value, 1, kMaxRuleCount, "");
        break;
      case Part::kUntil:
        rule_.until.emplace();
        if (!ParseRuleTime(value, &*rule_.until)) {
          FailValue(value,
                    "Write UNTIL=20271231T235959 in the job's time zone, 20271231T225959Z in UTC, "
                    "or 20271231 for the midnight at which that day begins.");
        }
        break;
      case Part::kWkst:
        dates_.week_start = IndexOf(kWeekdays, value);
        if (dates_.week_start == 7) {
          FailValue(value, "WKST is one of MO, TU, WE, TH, FR, SA and SU.");
        }
        break;
      default:
        ParseList(part, value);
        break;
    }
  }

  void ParseFrequency(std::string_view value) {
    const int index = IndexOf(kFrequencies, value);
    if (index == 7) {
      FailValue(value, kFreqHint);
    }
    rule_.frequency = static_cast<Frequency>(index);
  }

  void ParseList(Part part, std::string_view values) {
    do {
      const std::size_t end = values.find(',');
      ParseItem(part, values.substr(0, end));
      if (end != std::string_view::npos && end + 1 == values.size()) {
        FailValue(values, "There is nothing behind the last comma.");
      }
      values.remove_prefix(end == std::string_view::npos ? values.size() : end + 1);
    } while (!values.empty());
  }

  void ParseItem(Part part, std::string_view value) {
    switch (part) {
      case Part::kBySecond:
        // A leap second, which no clock here has, means the one before (RFC 5545, 3.3.12).
        rule_.times.seconds |= std::uint64_t{1} << std::min(Number(value, 0, 60, "seconds "), 59);
        break;
      case Part::kByMinute:
        rule_.times.minutes |= std::uint64_t{1} << Number(value, 0, 59, "minutes ");
        break;
      case Part::kByHour:
        rule_.times.hours |= 1U << Number(value, 0, 23, "hours ");
        break;
      case Part::kByDay:
        ParseWeekday(value);
        break;
      case Part::kByMonthDay: {
        const int day = FromEitherEnd(value, 31, "days of the month ");
        (day > 0 ? dates_.days : dates_.days_from_end) |= 1U << (day > 0 ? day : -day);
        break;
      }
      case Part::kByYearDay:
        dates_.year_days.push_back(FromEitherEnd(value, 366, "days of the year "));
        break;
      case Part::kByWeekNo:
        dates_.weeks.push_back(FromEitherEnd(value, 53, "weeks "));
        break;
      case Part::kByMonth:
        dates_.months |= 1U << Number(value, 1, 12, "months ");
        break;
      default:
        rule_.positions.push_back(FromEitherEnd(value, 366, "positions "));
        break;
    }
  }

  void ParseWeekday(std::string_view value) {
    const std::size_t length = value.size() < 2 ? 0 : value.size() - 2;
    WeekdayPart part;
    part.weekday = IndexOf(kWeekdays, value.substr(length));
    if (part.weekday == 7 ||
        (length != 0 && (!ParseSigned(value.substr(0, length), &part.nth) || part.nth == 0))) {
      FailValue(value,
                "BYDAY takes MO, TU, WE, TH, FR, SA and SU, and in monthly and yearly rules also "
                "2MO for the second one and -1FR for the last one.");
    }
    dates_.weekdays.push_back(part);
  }

  int Number(std::string_view value, int least, int most, const char* what) const {
    int number = 0;
    if (!ParseNumber(value, &number) || number < least || number > most) {
      FailValue(value, name_ + " takes " + what + "from " + std::to_string(least) + " to " +
                           std::to_string(most) + '.');
    }
    return number;
  }

  int FromEitherEnd(std::string_view value, int most, const char* what) const {
    int number = 0;
    if (!ParseSigned(value, &number) || number == 0 || number > most || number < -most) {
      const std::string limit = std::to_string(most);
      FailValue(value, name_ + " takes " + what + "from 1 to " + limit +
                           ", or counted from the end from -1 to -" + limit + '.');
    }
    return number;
  }

  // What RFC 5545 forbids, and what can match no day at all.
  void CheckCombination() {
    const Frequency frequency = rule_.frequency;
    const bool is_yearly = frequency == Frequency::kYearly;
    if (Has(Part::kByWeekNo) && !is_yearly) {
      Fail(Part::kByWeekNo, "BYWEEKNO goes with FREQ=YEARLY only.");
    }
    if (Has(Part::kByYearDay) &&
        (frequency == Frequency::kDaily || frequency == Frequency::kWeekly ||
         frequency == Frequency::kMonthly)) {
      Fail(Part::kByYearDay, "BYYEARDAY does not go with FREQ=DAILY, WEEKLY and MONTHLY.");
    }
    if (Has(Part::kByMonthDay) && frequency == Frequency::kWeekly) {
      Fail(Part::kByMonthDay, "BYMONTHDAY does not go with FREQ=WEEKLY: use FREQ=DAILY.");
    }
    dates_.nth_in_month = !is_yearly || dates_.months != 0;
    const int most = dates_.nth_in_month ? 5 : 53;
    for (const WeekdayPart& part : dates_.weekdays) {
      if (part.nth == 0) {
        continue;
      }
      if (!is_yearly && frequency != Frequency::kMonthly) {
        Fail(Part::kByDay, "BYDAY counts weekdays with FREQ=MONTHLY and FREQ=YEARLY only.");
      }
      if (Has(Part::kByWeekNo)) {
        Fail(Part::kByDay, "BYDAY does not count weekdays when there is BYWEEKNO.");
      }
      if (part.nth > most || part.nth < -most) {
        Fail(Part::kByDay, dates_.nth_in_month ? "A month has five of a weekday at most."
                                               : "A year has 53 of a weekday at most.");
      }
    }
    const auto first_by = static_cast<std::size_t>(Part::kBySecond);
    const auto set_pos = static_cast<std::size_t>(Part::kBySetPos);
    const bool has_by = std::any_of(shown_.begin() + first_by, shown_.begin() + set_pos,
                                    [](const std::string& shown) { return !shown.empty(); });
    if (Has(Part::kBySetPos) && !has_by) {
      Fail(Part::kBySetPos, "BYSETPOS chooses among what another BYxxx part gives.");
    }
  }

  std::string_view rest_;
  std::string_view whole_;
  RuleText& rule_;
  DateParts& dates_;
  std::string name_;
  std::array<std::string, kPartNames.size()> shown_;
};

}  // namespace

void ParseRuleParts(std::string_view parts, std::string_view whole, RuleText* rule) {
  PartParser(parts, whole, rule).Parse();
}

}  // namespace ratchet::calendar
