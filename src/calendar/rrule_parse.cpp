// The properties of a schedule: DTSTART, RRULE, RDATE and EXDATE.
#include <cstddef>
#include <string>
#include <utility>

#include "calendar/parse.h"
#include "calendar/rrule.h"
#include "calendar/rrule_parts.h"
#include "calendar/schedule.h"
#include "calendar/text.h"

namespace ratchet::calendar {

namespace {

constexpr char kTimeHint[] =
    "Write 20270131T090000 for a time of the job's time zone, 20270131T080000Z for one in UTC, or "
    "20270131 for a date.";
constexpr char kPropertyHint[] =
    "An iCalendar schedule is an RRULE, with a DTSTART, RDATEs and EXDATEs if need be, separated "
    "by "
    "spaces or line ends: \"DTSTART:20270101T090000 RRULE:FREQ=DAILY;COUNT=10\".";

std::string_view TakeUntil(std::string_view* rest, char separator) {
  const std::size_t at = rest->find(separator);
  const std::string_view part = rest->substr(0, at);
  rest->remove_prefix(at == std::string_view::npos ? rest->size() : at + 1);
  return part;
}

class RuleParser {
 public:
  explicit RuleParser(std::string_view text) : rest_(text), whole_(text) {}

  RuleText Parse() {
    while (!rest_.empty()) {
      ParseProperty(TakeWord(&rest_));
    }
    if (!has_rule_) {
      throw ScheduleError("schedule " + Quote(whole_) + " has no RRULE", kPropertyHint);
    }
    if (rule_.in_utc) {
      MoveToUtc();
    }
    return std::move(rule_);
  }

 private:
  [[noreturn]] void Fail(const char* what, std::string_view part, const std::string& hint) const {
    FailInRule(what, part, whole_, hint);
  }

  void ParseProperty(std::string_view line) {
    const std::size_t end = line.find_first_of(":;");
    const std::string_view name = line.substr(0, end);
    if (end == std::string_view::npos) {
      Fail("property", line, kPropertyHint);
    }
    std::string_view rest = line.substr(end);
    const auto is = [name](const char* other) { return EqualsIgnoringCase(name, other); };
    if (is("RRULE")) {
      if (std::exchange(has_rule_, true)) {
        Fail("second RRULE", line, "A schedule has one rule. Make a second job for another one.");
      }
      rest.remove_prefix(1);
      if (line[end] == ';') {
        Fail("RRULE", line, "RRULE has no parameters: write \"RRULE:FREQ=DAILY\", with a colon.");
      }
      ParseRuleParts(rest, whole_, &rule_);
      return;
    }
    if (is("EXRULE")) {
      Fail(
          "property", line,
          "EXRULE is no longer a part of iCalendar: list what is left out in EXDATE, or as days of "
          "the job's calendar.");
    }
    if (is("DURATION") || is("DTEND") || is("DUE")) {
      Fail("property", line, "An occurrence of a job has no end. For a time limit use timeout.");
    }
    if (!is("DTSTART") && !is("RDATE") && !is("EXDATE")) {
      Fail("property", name, kPropertyHint);
    }
    ParseTimes(name, line, rest);
  }

  void ParseTimes(std::string_view name, std::string_view line, std::string_view rest) {
    const bool is_date = TakeParameters(line, &rest);
    const bool is_start = EqualsIgnoringCase(name, "DTSTART");
    if (is_start && std::exchange(has_start_, true)) {
      Fail("second DTSTART", line, "A schedule begins once.");
    }
    do {
      const std::string_view value = TakeUntil(&rest, ',');
      RuleTime time;
      if (!ParseRuleTime(value, &time) || (is_date && time.kind != RuleTime::Kind::kDate)) {
        if (value.find('/') != std::string_view::npos) {
          Fail("time", value, "A period does not fit: an occurrence of a job has no end.");
        }
        Fail("time", value, kTimeHint);
      }
      if (EqualsIgnoringCase(name, "EXDATE")) {
        rule_.left_out.push_back(time);
      } else {
        // A date stands for its midnight.
        if (time.kind == RuleTime::Kind::kDate) {
          time.kind = RuleTime::Kind::kReading;
        }
        if (!is_start) {
          rule_.added.push_back(time);
        } else if (!rest.empty()) {
          Fail("DTSTART", line, "A schedule begins once.");
        } else {
          rule_.start = time.time;
          rule_.in_utc = time.kind == RuleTime::Kind::kInstant;
        }
      }
    } while (!rest.empty());
  }

  // From ';VALUE=DATE:' up to the value. True when the values have to be dates.
  bool TakeParameters(std::string_view line, std::string_view* rest) {
    bool is_date = false;
    while (!rest->empty() && rest->front() == ';') {
      rest->remove_prefix(1);
      const std::size_t end = rest->find_first_of(":;");
      const std::string_view parameter = rest->substr(0, end);
      rest->remove_prefix(end == std::string_view::npos ? rest->size() : end);
      if (StartsWithIgnoringCase(parameter, "TZID=")) {
        Fail(
            "parameter", parameter,
            "The zone of a schedule is the job's: leave TZID out and set time_zone, or write times "
            "in UTC with a Z at the end.");
      }
      if (EqualsIgnoringCase(parameter, "VALUE=DATE")) {
        is_date = true;
      } else if (!EqualsIgnoringCase(parameter, "VALUE=DATE-TIME")) {
        Fail("parameter", parameter, "Only VALUE=DATE and VALUE=DATE-TIME are known here.");
      }
    }
    if (rest->empty()) {
      Fail("property", line, kPropertyHint);
    }
    rest->remove_prefix(1);
    return is_date;
  }

  // The clock of the rule is that of UTC, so that instants are readings of it.
  void MoveToUtc() {
    const auto move = [](RuleTime* time) {
      if (time->kind == RuleTime::Kind::kInstant) {
        time->kind = RuleTime::Kind::kReading;
      }
    };
    for (RuleTime& time : rule_.added) {
      move(&time);
    }
    for (RuleTime& time : rule_.left_out) {
      move(&time);
    }
    if (rule_.until) {
      move(&*rule_.until);
    }
  }

  std::string_view rest_;
  std::string_view whole_;
  RuleText rule_;
  bool has_rule_ = false;
  bool has_start_ = false;
};

}  // namespace

void FailInRule(const char* what, std::string_view part, std::string_view whole,
                const std::string& hint) {
  throw ScheduleError(
      "invalid " + std::string(what) + " " + Quote(part) + " in schedule " + Quote(whole), hint);
}

bool ParseRuleTime(std::string_view value, RuleTime* time) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (value.size() < 8 || !ParseNumber(value.substr(0, 4), &year) ||
      !ParseNumber(value.substr(4, 2), &month) || !ParseNumber(value.substr(6, 2), &day) ||
      year < 1 || month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) {
    return false;
  }
  time->time = DaysFromCivil({year, month, day}) * kDay;
  time->kind = RuleTime::Kind::kDate;
  if (value.size() == 8) {
    return true;
  }
  int hour = 0;
  int minute = 0;
  int second = 0;
  const bool in_utc = value.size() == 16 && ToLower(value[15]) == 'z';
  if ((value.size() != 15 && !in_utc) || ToLower(value[8]) != 't' ||
      !ParseNumber(value.substr(9, 2), &hour) || !ParseNumber(value.substr(11, 2), &minute) ||
      !ParseNumber(value.substr(13, 2), &second) || hour > 23 || minute > 59 || second > 60) {
    return false;
  }
  // Clocks here have no leap seconds: then it means the second before (RFC 5545, 3.3.12).
  time->time += hour * kHour + minute * kMinute + (second == 60 ? 59 : second) * kSecond;
  time->kind = in_utc ? RuleTime::Kind::kInstant : RuleTime::Kind::kReading;
  return true;
}

// Calendar files break long lines by a line end and one blank (RFC 5545, 3.1), in the middle of a
// value. Here that may as well be the indentation of the next property: then a property begins
// there.
static std::string Unfolded(std::string_view text) {
  std::string whole;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t end = text.substr(i, 2) == "\r\n" ? i + 2 : i + 1;
    const bool is_break = (text[end - 1] == '\n' || text[i] == '\r') && end < text.size() &&
                          (text[end] == ' ' || text[end] == '\t');
    if (is_break && end + 1 < text.size() && !IsSpace(text[end + 1]) &&
        !IsCalendarRule(text.substr(end + 1))) {
      i = end;
    } else {
      whole += text[i];
    }
  }
  return whole;
}

std::shared_ptr<const Rule> ParseRule(std::string_view text) {
  const std::string whole = Unfolded(text);
  return std::make_shared<const Rule>(RuleParser(whole).Parse(), whole);
}

bool IsCalendarRule(std::string_view text) {
  for (const std::string_view name :
       {"RRULE", "RDATE", "EXRULE", "EXDATE", "DTSTART", "DTEND", "DURATION", "BEGIN", "SUMMARY"}) {
    if (StartsWithIgnoringCase(text, name) && text.size() > name.size() &&
        (text[name.size()] == ':' || text[name.size()] == ';')) {
      return true;
    }
  }
  return false;
}

}  // namespace ratchet::calendar
