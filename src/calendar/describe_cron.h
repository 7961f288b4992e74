#pragma once

#include <string>
#include <vector>

#include "calendar/cron.h"
#include "calendar/parse.h"

namespace ratchet::calendar {

// Exact English. `hashed` are values that the name of a job adds to those of `cron`.
std::string DescribeCron(const Cron& cron, const std::vector<HashedItem>& hashed);

// '1, 2 and 5': the last separator brings its own spaces.
std::string Join(const std::vector<std::string>& parts, const char* last_separator);

// '07'
std::string TwoDigits(std::int64_t value);

// Weekdays (bits 0..6, 0 is Sunday) in the order of a week that starts on Monday; stretches of
// three and more become a range: 'Monday to Friday', 'Friday to Sunday'.
std::string ListWeekdays(std::uint32_t weekdays);

// 7 is a Sunday at the end of the week.
std::string WeekdayName(int value);

}  // namespace ratchet::calendar
