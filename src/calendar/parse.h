#pragma once

#include <cstddef>
#include <string_view>

#include "calendar/cron.h"
#include "calendar/interval.h"
#include "calendar/schedule.h"

namespace ratchet::calendar {

// The parsers of the forms. All of them throw ScheduleError, take ASCII letters in any case, and
// get a text without space around it that is no longer than kMaxScheduleLength bytes.

constexpr std::size_t kMaxScheduleLength = 2000;

// Five or six fields.
Cron ParseCron(std::string_view text);

// '1 hour 30 minutes', '01:30:00', and with `allow_bare_unit` also 'hour'. `whole` is the schedule
// as messages show it.
Interval ParseInterval(std::string_view text, std::string_view whole, bool allow_bare_unit);

// True when `word` names a unit of ParseInterval().
bool IsIntervalUnit(std::string_view word);

// '2027-01-01 00:00+01', the part behind 'at'.
Once ParseOnce(std::string_view text, std::string_view whole);

}  // namespace ratchet::calendar
