#include "calendar/spoken_time.h"

#include <optional>

#include "calendar/text.h"

namespace ratchet::calendar {
namespace {

struct DayWord {
  const char* word;
  const char* fields;  // day of the month, month, day of the week
};

constexpr DayWord kDays[] = {
    {"day", "* * *"},           {"daily", "* * *"},
    {"weekday", "* * MON-FRI"}, {"weekdays", "* * MON-FRI"},
    {"weekend", "* * SAT,SUN"}, {"month", "1 * *"},
    {"monday", "* * MON"},      {"tuesday", "* * TUE"},
    {"wednesday", "* * WED"},   {"thursday", "* * THU"},
    {"friday", "* * FRI"},      {"saturday", "* * SAT"},
    {"sunday", "* * SUN"},      {"mon", "* * MON"},
    {"tue", "* * TUE"},         {"wed", "* * WED"},
    {"thu", "* * THU"},         {"fri", "* * FRI"},
    {"sat", "* * SAT"},         {"sun", "* * SUN"},
    {"mondays", "* * MON"},     {"tuesdays", "* * TUE"},
    {"wednesdays", "* * WED"},  {"thursdays", "* * THU"},
    {"fridays", "* * FRI"},     {"saturdays", "* * SAT"},
    {"sundays", "* * SUN"},
};

const char* FieldsOf(std::string_view word) {
  for (const DayWord& day : kDays) {
    if (EqualsIgnoringCase(word, day.word)) {
      return day.fields;
    }
  }
  return nullptr;
}

struct TimeOfDay {
  int hour;
  int minute;
};

// 9, 9:30, 21:30, 9am, 9:30pm; `half`: am, pm or nothing, as a word of its own.
std::optional<TimeOfDay> TimeOf(std::string_view word, std::string_view half) {
  if (word.size() > 2 && half.empty() && IsLetter(word.back())) {
    half = word.substr(word.size() - 2);
    word.remove_suffix(2);
  }
  const bool is_pm = EqualsIgnoringCase(half, "pm");
  if (!half.empty() && !is_pm && !EqualsIgnoringCase(half, "am")) {
    return std::nullopt;
  }
  const std::size_t colon = word.find(':');
  TimeOfDay time{0, 0};
  if (!ParseNumber(word.substr(0, colon), &time.hour) ||
      (colon != std::string_view::npos && !ParseNumber(word.substr(colon + 1), &time.minute))) {
    return std::nullopt;
  }
  if (time.minute > 59 || time.hour > 23 || (!half.empty() && (time.hour < 1 || time.hour > 12))) {
    return std::nullopt;
  }
  if (!half.empty()) {
    time.hour = time.hour % 12 + (is_pm ? 12 : 0);
  }
  return time;
}

}  // namespace

std::string CronOfWords(std::string_view text) {
  std::string_view word = TakeWord(&text);
  if (EqualsIgnoringCase(word, "every") || EqualsIgnoringCase(word, "on")) {
    word = TakeWord(&text);
  }
  const char* fields = FieldsOf(word);
  word = TakeWord(&text);
  if (EqualsIgnoringCase(word, "at")) {
    word = TakeWord(&text);
  }
  const std::string_view half = TakeWord(&text);
  if (fields == nullptr || word.empty() || !text.empty()) {
    return {};
  }
  const std::optional<TimeOfDay> time = TimeOf(word, half);
  return time ? std::to_string(time->minute) + " " + std::to_string(time->hour) + " " + fields
              : std::string();
}

std::string_view ZoneAtEnd(std::string_view text) {
  const std::size_t blank = text.find_last_of(" \t");
  const std::string_view word =
      blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  if (word == "UTC" || word == "GMT") {
    return word;
  }
  const std::size_t slash = word.find('/');
  const bool is_zone = slash != std::string_view::npos && slash > 2 && slash + 1 < word.size() &&
                       IsLetter(word.front()) && IsLetter(word[slash + 1]);
  return is_zone ? word : std::string_view();
}

}  // namespace ratchet::calendar
