#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "calendar/name_hash.h"
#include "calendar/parse.h"
#include "calendar/text.h"

namespace ratchet::calendar {

namespace {

// In the order of CronField.
enum FieldIndex { kSecondField, kMinuteField, kHourField, kDayField, kMonthField, kWeekdayField };

constexpr int kFieldCount = 6;

constexpr int kDaysOfEveryMonth = 28;

struct Field {
  const char* name;
  const char* hint;
  int low;
  int high;  // 6 for weekdays: 7 is another name of 0, not another day
};

constexpr Field kFields[kFieldCount] = {
    {"second", "Seconds go from 0 to 59.", 0, 59},
    {"minute", "Minutes go from 0 to 59.", 0, 59},
    {"hour", "Hours go from 0 to 23.", 0, 23},
    {"day of month",
     "Days of the month go from 1 to 31; there are also L (the last day), L-3, LW and 15W.", 1, 31},
    {"month", "Months go from 1 to 12 or from JAN to DEC.", 1, 12},
    {"day of week",
     "Days of the week go from 0 to 7 (0 and 7 are Sunday) or from SUN to SAT; there are also 5L "
     "(the last Friday) and MON#2.",
     0, 6}};

constexpr const char* kMonthNames[] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
constexpr const char* kWeekdayNames[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};

// 'MON' or 'Monday'.
bool IsNameOf(std::string_view text, std::string_view name) {
  return EqualsIgnoringCase(text, name) || EqualsIgnoringCase(text, name.substr(0, 3));
}

class CronParser {
 public:
  // With `hashed` the 'H' go there, instead of getting the values that the name chooses.
  CronParser(std::string_view text, std::string_view job_name, std::vector<HashedItem>* hashed)
      : text_(text), job_name_(job_name), hashed_(hashed) {}

  Cron Parse() {
    std::string_view words[kFieldCount];
    const int count = Split(words);
    cron_.elapsed = words[kMinuteField].front() == '*' || words[kHourField].front() == '*';
    cron_.day_star = IsStar(words[kDayField]);
    cron_.weekday_star = IsStar(words[kWeekdayField]);
    if (count == kFieldCount) {
      cron_.seconds = ParseField(kSecondField, words[kSecondField]);
    } else {
      cron_.seconds = 1;
    }
    cron_.minutes = ParseField(kMinuteField, words[kMinuteField]);
    cron_.hours = static_cast<std::uint32_t>(ParseField(kHourField, words[kHourField]));
    cron_.days = static_cast<std::uint32_t>(ParseField(kDayField, words[kDayField]));
    cron_.months = static_cast<std::uint16_t>(ParseField(kMonthField, words[kMonthField]));
    cron_.weekdays = static_cast<std::uint8_t>(ParseField(kWeekdayField, words[kWeekdayField]));
    if (hashed_ == nullptr && !CanEverMatch(cron_)) {
      throw ScheduleError("cron schedule " + Quote(text_) + " never runs",
                          "No day of any year matches its day and month fields.");
    }
    return cron_;
  }

 private:
  [[noreturn]] void Fail(const Field& field, const char* what, std::string_view part,
                         const std::string& hint) const {
    throw ScheduleError("invalid " + std::string(field.name) + what + " " + Quote(part) +
                            " in cron schedule " + Quote(text_),
                        hint);
  }

  static bool IsStar(std::string_view word) { return word.front() == '*' || word == "?"; }

  // The fields by their index, with an empty one for seconds that are not given.
  int Split(std::string_view* words) const {
    std::string_view rest = text_;
    int count = 0;
    for (; !rest.empty(); ++count) {
      const std::string_view word = TakeWord(&rest);
      if (count < kFieldCount) {
        words[count] = word;
      }
    }
    if (count != kFieldCount && count != kFieldCount - 1) {
      throw ScheduleError("cron schedule " + Quote(text_) + " has " + std::to_string(count) +
                              (count == 1 ? " field" : " fields"),
                          "A cron schedule has five fields (minute, hour, day of month, month, day "
                          "of week), or six with seconds in front.");
    }
    for (int i = kFieldCount - 1; count < kFieldCount && i > 0; --i) {
      words[i] = words[i - 1];
    }
    return count;
  }

  std::uint64_t ParseField(FieldIndex index, std::string_view word) {
    const Field& field = kFields[index];
    const bool is_day = index == kDayField || index == kWeekdayField;
    if (is_day && word == "?") {
      return Steps(field.low, field.high, 1, index);
    }
    if (word.find('?') != std::string_view::npos) {
      Fail(field, "", word,
           is_day ? "\"?\" stands alone in its field." : "\"?\" stands in the day fields only.");
    }
    std::uint64_t set = 0;
    for (std::string_view rest = word;;) {
      const std::size_t comma = rest.find(',');
      const std::string_view item = rest.substr(0, comma);
      if (item.empty()) {
        Fail(field, " list", word, "There is a value on both sides of a comma.");
      }
      set |= ParseItem(index, item);
      if (comma == std::string_view::npos) {
        return set;
      }
      rest.remove_prefix(comma + 1);
    }
  }

  // '*', 'a', 'a-b', each with '/step', and what only the day fields understand.
  std::uint64_t ParseItem(FieldIndex index, std::string_view item) {
    const Field& field = kFields[index];
    if ((index == kDayField && ParseDayRule(item)) ||
        (index == kWeekdayField && ParseWeekdayRule(item))) {
      return 0;
    }
    if (ToLower(item.front()) == 'h' && (item.size() == 1 || !IsLetter(item[1]))) {
      return ParseHashed(index, item);
    }
    const std::size_t slash = item.find('/');
    const std::string_view range = item.substr(0, slash);
    int step = 1;
    if (slash != std::string_view::npos) {
      step = ParseStep(field, item.substr(slash + 1), field.high - field.low + 1);
    }
    if (range == "*") {
      return Steps(field.low, field.high, step, index);
    }
    const std::size_t dash = range.find('-');
    bool has_name = false;
    const int from = ParseValue(index, range.substr(0, dash), item, &has_name);
    if (dash == std::string_view::npos) {
      return Steps(from, slash == std::string_view::npos ? from : field.high, step, index);
    }
    const int to = ParseValue(index, range.substr(dash + 1), item, &has_name);
    return Steps(from, RangeEnd(index, from, to, has_name, item), step, index);
  }

  // H, H(0-29), H/15 and H(0-29)/15. In the days of the month, H stands for one that all have.
  std::uint64_t ParseHashed(FieldIndex index, std::string_view item) {
    const Field& field = kFields[index];
    constexpr char kHint[] =
        "The forms of \"H\", a value chosen by the job's name, are H, H(0-29), H/15 and "
        "H(0-29)/15.";
    std::string_view rest = item.substr(1);
    HashedItem hashed{static_cast<CronField>(index), field.low,
                      index == kDayField ? kDaysOfEveryMonth : field.high, 0};
    if (!rest.empty() && rest.front() == '(') {
      const std::size_t dash = rest.find('-');
      const std::size_t close = rest.find(')');
      if (close == std::string_view::npos || dash >= close) {
        Fail(field, "", item, kHint);
      }
      bool has_name = false;
      hashed.low = ParseValue(index, rest.substr(1, dash - 1), item, &has_name);
      const int to = ParseValue(index, rest.substr(dash + 1, close - dash - 1), item, &has_name);
      // Sunday, for one, is chosen no more often than other days when it is both ends.
      hashed.high = std::min(RangeEnd(index, hashed.low, to, has_name, item),
                             hashed.low + field.high - field.low);
      rest.remove_prefix(close + 1);
    }
    const int values = hashed.high - hashed.low + 1;
    if (!rest.empty() && rest.front() == '/') {
      hashed.step = ParseStep(field, rest.substr(1), values);
    } else if (!rest.empty()) {
      Fail(field, "", item, kHint);
    }
    if (hashed.step == 1 || values == 1) {
      return Steps(hashed.low, hashed.high, 1, index);
    }
    if (hashed_ != nullptr) {
      hashed_->push_back(hashed);
      return 0;
    }
    const auto choices = static_cast<std::uint64_t>(hashed.step == 0 ? values : hashed.step);
    const int first = hashed.low + static_cast<int>(NameHash(job_name_, index) % choices);
    return Steps(first, hashed.step == 0 ? first : hashed.high, static_cast<int>(choices), index);
  }

  // The end of a range from `from` to `to`, beyond the field's end where it wraps around.
  int RangeEnd(FieldIndex index, int from, int to, bool has_name, std::string_view item) const {
    const Field& field = kFields[index];
    if (to < from && has_name) {
      // 'FRI-MON' goes on into the next week, 'NOV-FEB' into the next year.
      to += field.high - field.low + 1;
    }
    if (to < from) {
      std::string hint = "A range runs from the smaller number to the larger one";
      if (item.find_first_of("(/") == std::string_view::npos) {
        // Over the end of the field: a list. A week may also end with Sunday.
        hint += index == kWeekdayField && to == 0
                    ? ": " + Range(from, 7)
                    : ": " + Range(from, field.high) + ',' + Range(field.low, to);
      }
      Fail(field, " range", item, hint + '.');
    }
    return to;
  }

  static std::string Range(int from, int to) {
    return std::to_string(from) + (to == from ? "" : '-' + std::to_string(to));
  }

  // Weekday 7 stays 7, so that '5-7' does not run backwards.
  int ParseValue(FieldIndex index, std::string_view text, std::string_view item,
                 bool* has_name) const {
    const Field& field = kFields[index];
    int value = 0;
    if (ParseNumber(text, &value)) {
      const int high = index == kWeekdayField ? 7 : field.high;
      if (value < field.low || value > high) {
        Fail(field, "", text, field.hint);
      }
      return value;
    }
    if (FindName(index, text, &value)) {
      *has_name = true;
      return value;
    }
    Fail(field, "", item, field.hint);
  }

  static bool FindName(FieldIndex index, std::string_view text, int* value) {
    for (int i = 0; index == kMonthField && i < 12; ++i) {
      if (IsNameOf(text, kMonthNames[i])) {
        *value = i + 1;
        return true;
      }
    }
    return index == kWeekdayField && FindWeekday(text, value);
  }

  int ParseStep(const Field& field, std::string_view text, int values) const {
    int step = 0;
    if (!ParseNumber(text, &step) || step < 1 || step > values) {
      Fail(field, " step", text, "The step is a number from 1 to " + std::to_string(values) + ".");
    }
    return step;
  }

  // The set of from, from + step, ... up to `to`; values beyond the field's end wrap around.
  static std::uint64_t Steps(int from, int to, int step, FieldIndex index) {
    const Field& field = kFields[index];
    const int values = field.high - field.low + 1;
    // '7/2' starts on a Sunday that is the last day of its week.
    to = to < from ? from : to;
    std::uint64_t set = 0;
    for (int value = from; value <= to; value += step) {
      set |= std::uint64_t{1} << ((value - field.low) % values + field.low);
    }
    return set;
  }

  // L, L-3, LW, 15W.
  bool ParseDayRule(std::string_view item) {
    const Field& field = kFields[kDayField];
    int number = 0;
    if (EqualsIgnoringCase(item, "L")) {
      cron_.days_before_last |= 1;
      return true;
    }
    if (EqualsIgnoringCase(item, "LW")) {
      cron_.last_workday = true;
      return true;
    }
    if (StartsWithIgnoringCase(item, "L-")) {
      if (!ParseNumber(item.substr(2), &number) || number < 1 || number > 30) {
        Fail(field, "", item, "Behind \"L-\" stands a number of days from 1 to 30.");
      }
      cron_.days_before_last |= 1U << number;
      return true;
    }
    if (ToLower(item.back()) == 'w') {
      if (!ParseNumber(item.substr(0, item.size() - 1), &number) || number < 1 || number > 31) {
        Fail(field, "", item, "In front of \"W\" stands one day of the month, or L.");
      }
      cron_.nearest_weekdays |= 1U << number;
      return true;
    }
    return false;
  }

  // 5L, FRIL, MON#2.
  bool ParseWeekdayRule(std::string_view item) {
    const Field& field = kFields[kWeekdayField];
    bool has_name = false;
    const std::size_t hash = item.find('#');
    if (hash != std::string_view::npos) {
      const int weekday = ParseValue(kWeekdayField, item.substr(0, hash), item, &has_name) % 7;
      int n = 0;
      if (!ParseNumber(item.substr(hash + 1), &n) || n < 1 || n > 5) {
        Fail(field, "", item, "Behind \"#\" stands a number from 1 to 5.");
      }
      cron_.nth_weekdays |= std::uint64_t{1} << (7 * (n - 1) + weekday);
      return true;
    }
    if (ToLower(item.back()) == 'l') {
      if (item.size() == 1) {
        Fail(field, "", item, "In front of \"L\" stands a day of the week: 5L is the last Friday.");
      }
      const std::string_view weekday = item.substr(0, item.size() - 1);
      cron_.last_weekdays |= static_cast<std::uint8_t>(
          1U << (ParseValue(kWeekdayField, weekday, item, &has_name) % 7));
      return true;
    }
    return false;
  }

  std::string_view text_;
  std::string_view job_name_;
  std::vector<HashedItem>* hashed_;
  Cron cron_;
};

}  // namespace

bool FindWeekday(std::string_view text, int* weekday) {
  for (int i = 0; i < 7; ++i) {
    if (IsNameOf(text, kWeekdayNames[i])) {
      *weekday = i;
      return true;
    }
  }
  return false;
}

Cron ParseCron(std::string_view text, std::string_view job_name) {
  return CronParser(text, job_name, nullptr).Parse();
}

Cron ParseHashedCron(std::string_view text, std::vector<HashedItem>* hashed) {
  return CronParser(text, {}, hashed).Parse();
}

}  // namespace ratchet::calendar
