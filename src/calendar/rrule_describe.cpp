#include <bit>
#include <cstddef>

#include "calendar/describe_words.h"
#include "calendar/rrule.h"

namespace ratchet::calendar {

namespace {

constexpr int kMaxListedTimes = 8;
constexpr const char* kUnits[] = {"second", "minute", "hour", "day", "week", "month", "year"};

std::string Counted(int number, const char* unit) {
  return number == 1 ? unit : std::to_string(number) + ' ' + unit + 's';
}

// 'first', '20th', 'last', 'second to last'.
std::string Ordinal(int n) {
  if (n == -1) {
    return "last";
  }
  const int number = n < 0 ? -n : n;
  std::string name;
  if (number >= 1 && number <= 5) {
    name = kOrdinals[number - 1];
  } else {
    const int digit = number % 100 / 10 == 1 ? 0 : number % 10;
    name = std::to_string(number) +
           (digit == 1 ? "st" : (digit == 2 ? "nd" : (digit == 3 ? "rd" : "th")));
  }
  return n < 0 ? name + " to last" : name;
}

// What is known of a rule before its start is: all of it when DTSTART is in the text.
class Describer {
 public:
  explicit Describer(const RuleText& rule)
      : rule_(rule),
        dates_(rule.dates),
        unit_(kUnits[static_cast<int>(rule.frequency)]),
        knows_start_(rule.start.has_value()),
        start_date_(CivilFromDays(DayOfLocal(rule.start.value_or(0)))) {}

  std::string Text() const {
    std::string text;
    if (IsTicking()) {
      text = "every " + Counted(rule_.interval, unit_) + Ticks();
    } else if (rule_.interval == 1) {
      text = Times() + Dates();
    } else {
      text = "every " + Counted(rule_.interval, unit_) + Dates() + ' ' + Times();
    }
    return text + Positions() + Limits();
  }

 private:
  bool IsTicking() const { return rule_.frequency < Frequency::kDaily; }
  bool Is(Frequency frequency) const { return rule_.frequency == frequency; }

  // ---- Times of day -----------------------------------------------------------------------------

  // As in RuleCourse::CompleteTimes(); 0 for what the start decides.
  TimeParts Known() const {
    TimeParts times = rule_.times;
    const auto time = static_cast<int>(TimeOfLocal(rule_.start.value_or(0)) / kSecond);
    const bool has_hours = times.hours != 0;
    const bool has_minutes = times.minutes != 0;
    if (times.hours == 0 && knows_start_) {
      times.hours = 1U << (time / 3600);
    }
    if (times.minutes == 0 && (knows_start_ || has_hours)) {
      times.minutes = std::uint64_t{1} << (knows_start_ ? time / 60 % 60 : 0);
    }
    if (times.seconds == 0 && (knows_start_ || has_hours || has_minutes)) {
      times.seconds = std::uint64_t{1} << (knows_start_ ? time % 60 : 0);
    }
    return times;
  }

  std::string Utc() const { return rule_.in_utc ? " UTC" : ""; }

  std::string Times() const {
    const TimeParts times = Known();
    if (times.hours == 0) {
      const std::string seconds = times.seconds == 1 || times.seconds == 0
                                      ? ""
                                      : Numbered("second", times.seconds) + " of ";
      if (times.minutes != 0) {
        return "at " + seconds + Numbered("minute", times.minutes) + " of the hour of its start";
      }
      return times.seconds == 0 ? "at the time of day of its start"
                                : "at " + Numbered("second", times.seconds) +
                                      " of the hour and minute of its start";
    }
    const int count =
        std::popcount(times.hours) * std::popcount(times.minutes) * std::popcount(times.seconds);
    if (count > kMaxListedTimes) {
      const std::string seconds =
          times.seconds == 1 ? "" : Numbered("second", times.seconds) + " of ";
      return "at " + seconds + Numbered("minute", times.minutes) + " past " +
             Numbered("hour", times.hours) + Utc();
    }
    std::vector<std::string> list;
    for (std::uint32_t h = times.hours; h != 0; h &= h - 1) {
      for (std::uint64_t m = times.minutes; m != 0; m &= m - 1) {
        for (std::uint64_t s = times.seconds; s != 0; s &= s - 1) {
          std::string time = TwoDigits(std::countr_zero(h)) + ':' + TwoDigits(std::countr_zero(m));
          if (times.seconds != 1) {
            time += ':' + TwoDigits(std::countr_zero(s));
          }
          list.push_back(time);
        }
      }
    }
    return "at " + Join(list, " and ") + Utc();
  }

  // Behind 'every hour', 'every minute', 'every second'.
  std::string Ticks() const {
    const TimeParts times = Known();
    std::string text;
    if (Is(Frequency::kHourly)) {
      const std::string seconds = times.seconds == 1 || times.seconds == 0
                                      ? ""
                                      : Numbered("second", times.seconds) + " of ";
      text += times.minutes != 0   ? " at " + seconds + Numbered("minute", times.minutes)
              : times.seconds != 0 ? " at " + seconds + "the minute of its start"
                                   : " at the minute and second of its start";
      if (times.minutes == 0 && times.seconds == 1) {
        text = " at second 0 of the minute of its start";
      }
    } else if (Is(Frequency::kMinutely)) {
      text += times.seconds != 0 ? " at " + Numbered("second", times.seconds)
                                 : " at the second of its start";
    }
    const TimeParts& limits = rule_.times;
    if (limits.hours != 0) {
      text += ", only in " + Numbered("hour", limits.hours);
    }
    if (limits.minutes != 0 && !Is(Frequency::kHourly)) {
      text += ", only in " + Numbered("minute", limits.minutes);
    }
    if (limits.seconds != 0 && Is(Frequency::kSecondly)) {
      text += ", only in " + Numbered("second", limits.seconds);
    }
    const std::string dates = Conditions();
    return dates.empty() ? text : text + ", only" + dates;
  }

  // ---- Dates ------------------------------------------------------------------------------------

  std::string Weekdays() const {
    std::uint32_t every = 0;
    for (const WeekdayPart& part : dates_.weekdays) {
      every |= part.nth == 0 ? 1U << part.weekday : 0;
    }
    std::vector<std::string> list;
    if (every != 0) {
      list.push_back(every == 0x7f ? "any weekday" : ListWeekdays(every));
    }
    const std::string of = !dates_.nth_in_month
                               ? " of the year"
                               : (IsEveryMonth() ? " of every month" : " of the month");
    for (const WeekdayPart& part : dates_.weekdays) {
      if (part.nth != 0) {
        list.push_back("the " + Ordinal(part.nth) + ' ' + WeekdayName(part.weekday) + of);
      }
    }
    return Join(list, " and ");
  }

  bool IsEveryMonth() const {
    return Is(Frequency::kMonthly) && rule_.interval == 1 && dates_.months == 0;
  }

  std::string MonthDays(std::uint32_t days, std::uint32_t from_end) const {
    std::vector<std::string> list;
    if (days != 0) {
      list.push_back(Numbered("day", days));
    }
    for (std::uint32_t rest = from_end; rest != 0; rest &= rest - 1) {
      list.push_back("the " + Ordinal(-std::countr_zero(rest)) + " day");
    }
    return Join(list, " and ") + (IsEveryMonth() ? " of every month" : " of the month");
  }

  static std::string Numbers(const std::vector<int>& numbers, const char* unit) {
    std::vector<std::string> list;
    list.reserve(numbers.size());
    for (const int n : numbers) {
      list.push_back(n > 0 ? std::string(unit) + ' ' + std::to_string(n)
                           : "the " + Ordinal(n) + ' ' + unit);
    }
    return Join(list, " and ") + " of the year";
  }

  bool LeavesDayOpen() const {
    return (dates_.days | dates_.days_from_end) == 0 && dates_.weekdays.empty() &&
           dates_.year_days.empty();
  }

  // The days that the start decides.
  void AddStartDay(std::vector<std::string>* days) const {
    const bool is_weekday = Is(Frequency::kWeekly) || !dates_.weeks.empty();
    if (is_weekday) {
      days->push_back(knows_start_ ? WeekdayName(WeekdayFromDays(DayOfLocal(*rule_.start)))
                                   : "the weekday of its start");
    } else if (!knows_start_) {
      days->push_back(Is(Frequency::kYearly) && dates_.months == 0
                          ? "the day and month of its start"
                          : std::string("the day of the month of its start") +
                                (IsEveryMonth() ? ", every month" : ""));
    } else {
      days->push_back(MonthDays(1U << start_date_.day, 0));
    }
  }

  // ' on Friday if it is also on day 13 of the month in June'. Empty when all days match.
  std::string Conditions() const {
    std::vector<std::string> days;
    if (rule_.frequency > Frequency::kDaily && LeavesDayOpen()) {
      AddStartDay(&days);
    }
    if (!dates_.weekdays.empty()) {
      days.push_back(Weekdays());
    }
    if ((dates_.days | dates_.days_from_end) != 0) {
      days.push_back(MonthDays(dates_.days, dates_.days_from_end));
    }
    if (!dates_.year_days.empty()) {
      days.push_back(Numbers(dates_.year_days, "day"));
    }
    std::string text;
    for (const std::string& day : days) {
      text += (text.empty() ? " on " : " if it is also on ") + day;
    }
    if (!dates_.weeks.empty()) {
      text += " in " + Numbers(dates_.weeks, "week") + WeekStart();
    }
    if (dates_.months != 0) {
      text += " in " + List(dates_.months, MonthName);
    } else if (Is(Frequency::kYearly) && LeavesDayOpen() && dates_.weeks.empty() && knows_start_) {
      text += " in " + MonthName(start_date_.month);
    }
    return text;
  }

  std::string WeekStart() const { return ", weeks beginning on " + WeekdayName(dates_.week_start); }

  std::string Dates() const {
    std::string text = Conditions();
    if (Is(Frequency::kDaily)) {
      if (rule_.interval != 1) {
        text = text.empty() ? text : ", only" + text + ',';
      } else if (dates_.weekdays.empty() && (dates_.days | dates_.days_from_end) == 0) {
        text = " every day" + text;
      }
    } else if (Is(Frequency::kWeekly) && dates_.week_start != 1 &&
               (rule_.interval != 1 || !rule_.positions.empty())) {
      text += WeekStart() + ',';
    }
    return text;
  }

  // ---- The rest ---------------------------------------------------------------------------------

  std::string Positions() const {
    if (rule_.positions.empty()) {
      return "";
    }
    std::vector<std::string> list;
    list.reserve(rule_.positions.size());
    for (const int position : rule_.positions) {
      list.push_back("the " + Ordinal(position));
    }
    return ", of these only " + Join(list, " and ") + " in each " + unit_;
  }

  std::string TimeText(const RuleTime& time) const {
    std::string text = ReadingText(time.time);
    if (time.kind == RuleTime::Kind::kDate) {
      return text.substr(0, text.find(' ')) + Utc();
    }
    return text + (time.kind == RuleTime::Kind::kInstant ? " UTC" : Utc());
  }

  std::string TimesText(const std::vector<RuleTime>& times) const {
    std::vector<std::string> list;
    list.reserve(times.size());
    for (const RuleTime& time : times) {
      list.push_back(TimeText(time));
    }
    return Join(list, " and ");
  }

  std::string Limits() const {
    std::string text;
    if (rule_.count != 0) {
      text += rule_.count == 1 ? ", once" : ", " + std::to_string(rule_.count) + " times";
    }
    if (knows_start_) {
      text += (rule_.count == 0 ? ", from " : " from ") + ReadingText(*rule_.start) + Utc();
    } else if (rule_.interval != 1) {
      text += ", counted from its start";
    }
    if (rule_.until) {
      // A date is the midnight at which it begins.
      text += (knows_start_ ? " until " : ", until ") + ReadingText(rule_.until->time) +
              (rule_.until->kind == RuleTime::Kind::kInstant ? " UTC" : Utc());
    }
    if (!rule_.added.empty()) {
      text += ", and at " + TimesText(rule_.added);
    }
    if (!rule_.left_out.empty()) {
      text += ", except " + TimesText(rule_.left_out);
    }
    return text;
  }

  const RuleText& rule_;
  const DateParts& dates_;
  const char* unit_;
  bool knows_start_;
  CivilDate start_date_;
};

}  // namespace

std::string Rule::Describe() const { return Describer(text_).Text(); }

}  // namespace ratchet::calendar
