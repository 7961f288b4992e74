// Times as people say them, for the hint of an error: they are no schedules.
#pragma once

#include <string>
#include <string_view>

namespace ratchet::calendar {

// The cron line that is meant by words such as "every day at 9", "Monday at 9:30 pm" or "every
// weekday 18:00"; empty: they are other words.
std::string CronOfWords(std::string_view text);

// The time zone at the end of a cron line, such as Europe/Paris; empty: there is none.
std::string_view ZoneAtEnd(std::string_view text);

}  // namespace ratchet::calendar
