#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "calendar/civil.h"
#include "calendar/schedule.h"

namespace ratchet::calendar {

namespace {

// Up to this many times of day are listed one by one.
constexpr int kMaxListedTimes = 8;

constexpr const char* kMonthNames[] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
constexpr const char* kWeekdayNames[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};
constexpr const char* kOrdinals[] = {"first", "second", "third", "fourth", "fifth"};

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
std::string MonthName(int value) { return kMonthNames[value - 1]; }
// 7 is a Sunday at the end of the week, to have 'Friday to Sunday'.
std::string WeekdayName(int value) { return kWeekdayNames[value % 7]; }

// '1, 2 and 5 to 9': stretches of three and more become a range.
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

// Weekdays in the order of a week that starts on Monday, as bits 1..7.
std::string ListWeekdays(std::uint32_t weekdays) {
  return List((weekdays & 0x7e) | (weekdays & 1) << 7, WeekdayName);
}

constexpr std::uint64_t Below(int count) { return (std::uint64_t{1} << count) - 1; }

// 'minute 5', 'minutes 0, 15, 30 and 45'.
std::string Numbered(const char* unit, std::uint64_t set) {
  return std::string(unit) + (std::popcount(set) == 1 ? " " : "s ") + List(set, NumberName);
}

// Step of a set that goes on evenly from one minute (hour) into the next one: 12 values at least 2
// apart, say. 0 for others.
int EvenStep(std::uint64_t set, int values) {
  const int count = std::popcount(set);
  const int first = std::countr_zero(set);
  if (count < 4 || values % count != 0 || count == values) {
    return 0;
  }
  const int step = values / count;
  std::uint64_t even = 0;
  for (int value = first; value < values; value += step) {
    even |= std::uint64_t{1} << value;
  }
  return even == set ? step : 0;
}

std::string ListTimes(const Cron& cron) {
  std::vector<std::string> times;
  for (std::uint32_t h = cron.hours; h != 0; h &= h - 1) {
    for (std::uint64_t m = cron.minutes; m != 0; m &= m - 1) {
      for (std::uint64_t s = cron.seconds; s != 0; s &= s - 1) {
        std::string time = TwoDigits(std::countr_zero(h)) + ':' + TwoDigits(std::countr_zero(m));
        if (cron.seconds != 1) {
          time += ':' + TwoDigits(std::countr_zero(s));
        }
        times.push_back(time);
      }
    }
  }
  return "at " + Join(times, " and ");
}

// Everything below the day, for rules with more times than one wants to read.
std::string DescribePattern(const Cron& cron) {
  const bool all_seconds = cron.seconds == Below(60);
  const bool all_minutes = cron.minutes == Below(60);
  const bool all_hours = cron.hours == Below(24);
  std::string text;
  if (cron.seconds != 1) {
    const int step = all_minutes && all_hours ? EvenStep(cron.seconds, 60) : 0;
    if (step != 0) {
      return "every " + std::to_string(step) + " seconds from second " +
             std::to_string(std::countr_zero(cron.seconds)) + " of every minute";
    }
    text = all_seconds ? "every second" : "at " + Numbered("second", cron.seconds);
    if (all_seconds && all_minutes && all_hours) {
      return text;
    }
    text += all_minutes ? " of every minute" : " of " + Numbered("minute", cron.minutes);
  } else if (all_minutes) {
    text = "every minute";
  } else {
    const int step = all_hours ? EvenStep(cron.minutes, 60) : 0;
    if (step != 0) {
      return "every " + std::to_string(step) + " minutes from minute " +
             std::to_string(std::countr_zero(cron.minutes)) + " of every hour";
    }
    text = "at " + Numbered("minute", cron.minutes);
  }
  if (all_hours) {
    return all_minutes ? text : text + " past every hour";
  }
  return text + " past " + Numbered("hour", cron.hours);
}

// The alternatives of the day-of-month field; empty when every day matches.
std::string DescribeDays(const Cron& cron) {
  constexpr std::uint32_t kAllDays = 0xfffffffe;
  if (cron.days == kAllDays) {
    return "";
  }
  std::vector<std::string> parts;
  if (cron.days != 0) {
    parts.push_back(Numbered("day", cron.days) + " of the month");
  }
  for (std::uint32_t rest = cron.nearest_weekdays; rest != 0; rest &= rest - 1) {
    parts.push_back("the weekday nearest to day " + std::to_string(std::countr_zero(rest)) +
                    " of the month");
  }
  for (std::uint32_t rest = cron.days_before_last; rest != 0; rest &= rest - 1) {
    const int before = std::countr_zero(rest);
    std::string distance;
    if (before != 0) {
      distance = std::to_string(before) + (before == 1 ? " day before " : " days before ");
    }
    parts.push_back(distance + "the last day of the month");
  }
  if (cron.last_workday) {
    parts.emplace_back("the last weekday of the month");
  }
  return Join(parts, " and ");
}

std::string DescribeWeekdays(const Cron& cron) {
  if (cron.weekdays == Below(7)) {
    return "";
  }
  std::vector<std::string> parts;
  if (cron.weekdays != 0) {
    parts.push_back(ListWeekdays(cron.weekdays));
  }
  for (std::uint64_t rest = cron.nth_weekdays; rest != 0; rest &= rest - 1) {
    const int bit = std::countr_zero(rest);
    parts.push_back(std::string("the ") + kOrdinals[bit / 7] + ' ' + WeekdayName(bit % 7) +
                    " of the month");
  }
  for (std::uint32_t rest = cron.last_weekdays; rest != 0; rest &= rest - 1) {
    parts.push_back("the last " + WeekdayName(std::countr_zero(rest)) + " of the month");
  }
  return Join(parts, " and ");
}

std::string DescribeDate(const Cron& cron, bool is_list_of_times) {
  const std::string days = DescribeDays(cron);
  const std::string weekdays = DescribeWeekdays(cron);
  const bool both_needed = cron.day_star || cron.weekday_star;
  std::string text;
  if (!days.empty() && !weekdays.empty()) {
    text = " on " + days + (both_needed ? " if it is also on " : " or on ") + weekdays;
  } else if (both_needed && !(days.empty() && weekdays.empty())) {
    text = " on " + days + weekdays;
  } else if (is_list_of_times) {
    // Also '1-31 * MON': either field matches, and one of them always does.
    text = " every day";
  }
  constexpr std::uint16_t kAllMonths = 0x1ffe;
  if (cron.months != kAllMonths) {
    text += " in " + List(cron.months, MonthName);
  }
  return text;
}

std::string DescribeCron(const Cron& cron) {
  const int times =
      std::popcount(cron.hours) * std::popcount(cron.minutes) * std::popcount(cron.seconds);
  const bool is_list = times <= kMaxListedTimes;
  return (is_list ? ListTimes(cron) : DescribePattern(cron)) + DescribeDate(cron, is_list);
}

std::string DescribeOnce(const Once& once) {
  const CivilDate date = CivilFromDays(DayOfLocal(once.time));
  const std::int64_t time = TimeOfLocal(once.time);
  const std::string year = std::to_string(date.year);
  std::string text = "once at " + std::string(year.size() < 4 ? 4 - year.size() : 0, '0') + year +
                     '-' + TwoDigits(date.month) + '-' + TwoDigits(date.day) + ' ' +
                     TwoDigits(time / kHour) + ':' + TwoDigits(time % kHour / kMinute);
  if (time % kMinute != 0) {
    text += ':' + TwoDigits(time % kMinute / kSecond);
  }
  if (time % kSecond != 0) {
    std::string fraction = std::to_string(kSecond + time % kSecond).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += '.' + fraction;
  }
  return once.is_instant ? text + " UTC" : text;
}

// 'every minute', but 'every 1 hour 30 minutes'.
std::string DescribeInterval(const Interval& interval) {
  const std::string text = FormatInterval(interval);
  const std::size_t space = text.find(' ');
  const bool is_single = text.find(' ', space + 1) == std::string::npos;
  return "every " + (is_single && text.substr(0, space) == "1" ? text.substr(space + 1) : text);
}

}  // namespace

std::string Schedule::Describe() const {
  switch (kind_) {
    case Kind::kInterval:
      return DescribeInterval(interval());
    case Kind::kAfterCompletion:
      return FormatInterval(interval()) + " after completion";
    case Kind::kCron:
      return DescribeCron(cron());
    case Kind::kOnce:
      return DescribeOnce(once());
    case Kind::kStartup:
      return "at server start";
    case Kind::kManual:
      break;
  }
  return "only when triggered";
}

}  // namespace ratchet::calendar
