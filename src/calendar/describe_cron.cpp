#include "calendar/describe_cron.h"

#include <bit>
#include <cstdint>

#include "calendar/describe_words.h"

namespace ratchet::calendar {

namespace {

// Up to this many times of day are listed one by one.
constexpr int kMaxListedTimes = 8;

using NameOf = std::string (*)(int);

// How the values of a field are called. A range from `low` to `high` goes without saying.
struct FieldWords {
  CronField field;
  const char* one;
  const char* any;
  int low;
  int high;
  NameOf name;
};

constexpr FieldWords kSecond = {CronField::kSecond, "second", "a second", 0, 59, NumberName};
constexpr FieldWords kMinute = {CronField::kMinute, "minute", "a minute", 0, 59, NumberName};
constexpr FieldWords kHour = {CronField::kHour, "hour", "an hour", 0, 23, NumberName};
// H means a day that all months have: that is said.
constexpr FieldWords kDay = {CronField::kDay, "day of the month", "a day of the month", 1, 31,
                             NumberName};
constexpr FieldWords kMonth = {CronField::kMonth, "month", "a month", 1, 12, MonthName};
constexpr FieldWords kWeekday = {CronField::kWeekday, "day of the week", "a day of the week", 0, 6,
                                 WeekdayName};

// '21st'
std::string Ordinal(int n) {
  const int last = n / 10 % 10 == 1 ? 0 : n % 10;
  return std::to_string(n) + (last == 1 ? "st" : (last == 2 ? "nd" : (last == 3 ? "rd" : "th")));
}

// 'a minute from 0 to 29 chosen by the job's name'
std::string HashedPhrase(const FieldWords& words, const HashedItem& item) {
  std::string range;
  if (item.low != words.low || item.high != words.high) {
    range = " from " + words.name(item.low) + " to " + words.name(item.high);
  }
  if (item.step == 0) {
    return words.any + range + " chosen by the job's name";
  }
  return "every " + Ordinal(item.step) + ' ' + words.one + range +
         " (the first chosen by the job's name)";
}

class CronDescription {
 public:
  CronDescription(const Cron& cron, const std::vector<HashedItem>& hashed)
      : cron_(cron), hashed_(hashed) {}

  std::string Text() const {
    const bool has_hashed_time =
        IsHashed(CronField::kSecond) || IsHashed(CronField::kMinute) || IsHashed(CronField::kHour);
    const int times =
        std::popcount(cron_.hours) * std::popcount(cron_.minutes) * std::popcount(cron_.seconds);
    const bool is_list = !has_hashed_time && times <= kMaxListedTimes;
    return (is_list ? ListTimes() : Pattern()) +
           Date(is_list || (has_hashed_time && cron_.hours != Below(24)));
  }

 private:
  bool IsHashed(CronField field) const {
    for (const HashedItem& item : hashed_) {
      if (item.field == field) {
        return true;
      }
    }
    return false;
  }

  void AppendHashed(std::vector<std::string>* parts, const FieldWords& words) const {
    for (const HashedItem& item : hashed_) {
      if (item.field == words.field) {
        parts->push_back(HashedPhrase(words, item));
      }
    }
  }

  // 'minute 5', 'minutes 0 and 30', with what the name chooses.
  std::string Values(const FieldWords& words, std::uint64_t set) const {
    std::vector<std::string> parts;
    if (set != 0) {
      parts.push_back(Numbered(words.one, set));
    }
    AppendHashed(&parts, words);
    return Join(parts, " and ");
  }

  // Step of a set that goes on evenly from one minute (hour) into the next one: 12 values at least
  // 2 apart, say. 0 for others.
  static int EvenStep(std::uint64_t set, int values) {
    const int count = std::popcount(set);
    if (count < 4 || values % count != 0 || count == values) {
      return 0;
    }
    const int step = values / count;
    std::uint64_t even = 0;
    for (int value = std::countr_zero(set); value < values; value += step) {
      even |= std::uint64_t{1} << value;
    }
    return even == set ? step : 0;
  }

  std::string ListTimes() const {
    std::vector<std::string> times;
    for (std::uint32_t h = cron_.hours; h != 0; h &= h - 1) {
      for (std::uint64_t m = cron_.minutes; m != 0; m &= m - 1) {
        for (std::uint64_t s = cron_.seconds; s != 0; s &= s - 1) {
          std::string time = TwoDigits(std::countr_zero(h)) + ':' + TwoDigits(std::countr_zero(m));
          if (cron_.seconds != 1) {
            time += ':' + TwoDigits(std::countr_zero(s));
          }
          times.push_back(time);
        }
      }
    }
    return "at " + Join(times, " and ");
  }

  // Everything below the day, for rules with more times than one wants to read.
  std::string Pattern() const {
    const bool all_seconds = cron_.seconds == Below(60);
    const bool all_minutes = cron_.minutes == Below(60);
    const bool all_hours = cron_.hours == Below(24);
    std::string text;
    if (cron_.seconds != 1 || IsHashed(CronField::kSecond)) {
      const int step = all_minutes && all_hours && !IsHashed(CronField::kSecond)
                           ? EvenStep(cron_.seconds, 60)
                           : 0;
      if (step != 0) {
        return "every " + std::to_string(step) + " seconds from second " +
               std::to_string(std::countr_zero(cron_.seconds)) + " of every minute";
      }
      text = all_seconds ? "every second" : "at " + Values(kSecond, cron_.seconds);
      if (all_seconds && all_minutes && all_hours) {
        return text;
      }
      text += " of " + (all_minutes ? "every minute" : Values(kMinute, cron_.minutes));
    } else if (all_minutes) {
      text = "every minute";
    } else {
      const int step = all_hours && !IsHashed(CronField::kMinute) ? EvenStep(cron_.minutes, 60) : 0;
      if (step != 0) {
        return "every " + std::to_string(step) + " minutes from minute " +
               std::to_string(std::countr_zero(cron_.minutes)) + " of every hour";
      }
      text = "at " + Values(kMinute, cron_.minutes);
    }
    if (all_hours) {
      return all_minutes ? text : text + " past every hour";
    }
    return text + " past " + Values(kHour, cron_.hours);
  }

  // The alternatives of the day-of-month field; empty when every day matches.
  std::string Days() const {
    constexpr std::uint32_t kAllDays = 0xfffffffe;
    if (cron_.days == kAllDays) {
      return "";
    }
    std::vector<std::string> parts;
    if (cron_.days != 0) {
      parts.push_back(Numbered("day", cron_.days) + " of the month");
    }
    for (std::uint32_t rest = cron_.nearest_weekdays; rest != 0; rest &= rest - 1) {
      parts.push_back("the weekday nearest to day " + std::to_string(std::countr_zero(rest)) +
                      " of the month");
    }
    for (std::uint32_t rest = cron_.days_before_last; rest != 0; rest &= rest - 1) {
      const int before = std::countr_zero(rest);
      std::string distance;
      if (before != 0) {
        distance = std::to_string(before) + (before == 1 ? " day before " : " days before ");
      }
      parts.push_back(distance + "the last day of the month");
    }
    if (cron_.last_workday) {
      parts.emplace_back("the last weekday of the month");
    }
    AppendHashed(&parts, kDay);
    return Join(parts, " and ");
  }

  std::string Weekdays() const {
    if (cron_.weekdays == Below(7)) {
      return "";
    }
    std::vector<std::string> parts;
    if (cron_.weekdays != 0) {
      parts.push_back(ListWeekdays(cron_.weekdays));
    }
    for (std::uint64_t rest = cron_.nth_weekdays; rest != 0; rest &= rest - 1) {
      const int bit = std::countr_zero(rest);
      parts.push_back(std::string("the ") + kOrdinals[bit / 7] + ' ' + WeekdayName(bit % 7) +
                      " of the month");
    }
    for (std::uint32_t rest = cron_.last_weekdays; rest != 0; rest &= rest - 1) {
      parts.push_back("the last " + WeekdayName(std::countr_zero(rest)) + " of the month");
    }
    AppendHashed(&parts, kWeekday);
    return Join(parts, " and ");
  }

  std::string Date(bool says_every_day) const {
    const std::string days = Days();
    const std::string weekdays = Weekdays();
    const bool both_needed = cron_.day_star || cron_.weekday_star;
    std::string text;
    if (!days.empty() && !weekdays.empty()) {
      text = " on " + days + (both_needed ? " if it is also on " : " or on ") + weekdays;
    } else if (both_needed && !(days.empty() && weekdays.empty())) {
      text = " on " + days + weekdays;
    } else if (says_every_day) {
      // Also '1-31 * MON': either field matches, and one of them always does.
      text = " every day";
    }
    constexpr std::uint16_t kAllMonths = 0x1ffe;
    if (cron_.months != kAllMonths) {
      std::vector<std::string> parts;
      if (cron_.months != 0) {
        parts.push_back(List(cron_.months, MonthName));
      }
      AppendHashed(&parts, kMonth);
      text += " in " + Join(parts, " and ");
    }
    return text;
  }

  const Cron& cron_;
  const std::vector<HashedItem>& hashed_;
};

}  // namespace

std::string DescribeCron(const Cron& cron, const std::vector<HashedItem>& hashed) {
  return CronDescription(cron, hashed).Text();
}

}  // namespace ratchet::calendar
