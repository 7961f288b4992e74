#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calendar/civil.h"

namespace ratchet::calendar {

// The words that descriptions of schedules are made of.

constexpr const char* kOrdinals[] = {"first", "second", "third", "fourth", "fifth"};

constexpr std::uint64_t Below(int count) { return (std::uint64_t{1} << count) - 1; }

std::string TwoDigits(std::int64_t value);

// 'a, b and c', with `last_separator` before the last one.
std::string Join(const std::vector<std::string>& parts, const char* last_separator);

// The names of values, for List(). Beyond the year and the week they begin
// again: 7 is a Sunday.
std::string NumberName(int value);
std::string MonthName(int value);
std::string WeekdayName(int value);

// '1, 2 and 5 to 9': stretches of three and more become a range.
std::string List(std::uint64_t set, std::string (*name)(int));

// Weekdays in the order of a week that starts on Monday. Bit 0 is Sunday.
std::string ListWeekdays(std::uint32_t weekdays);

// 'minute 5', 'minutes 0, 15, 30 and 45'.
std::string Numbered(const char* unit, std::uint64_t set);

// '2027-01-01 00:00', with seconds and their fraction if there are any.
std::string ReadingText(Local reading);

}  // namespace ratchet::calendar
