#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "calendar/cron.h"
#include "calendar/interval.h"
#include "calendar/schedule.h"

namespace ratchet::calendar {

// The parsers of the forms. All of them throw ScheduleError, take ASCII letters in any case, and
// get a text without space around it that is no longer than kMaxScheduleLength bytes.

constexpr std::size_t kMaxScheduleLength = 2000;

enum class CronField : std::uint8_t { kSecond, kMinute, kHour, kDay, kMonth, kWeekday };

// An 'H' in a cron line: the value is chosen by the job's name.
struct HashedItem {
  CronField field;
  int low;   // the values to choose from; for names that wrap around ('FRI-MON') `high` lies beyond
  int high;  // the field's end
  int step;  // 0: one value. Otherwise the name chooses the first one, from low to low + step - 1

  friend bool operator==(const HashedItem&, const HashedItem&) = default;
};

// Five or six fields, for a job of that name.
Cron ParseCron(std::string_view text, std::string_view job_name);

// The same without a name: the values of the 'H' are left out, so that it may match no day.
Cron ParseHashedCron(std::string_view text, std::vector<HashedItem>* hashed);

// 'MON' or 'Monday'; 0 is Sunday. False for anything else.
bool FindWeekday(std::string_view text, int* weekday);

// '1 hour 30 minutes', '01:30:00', and with `allow_bare_unit` also 'hour'. `whole` is the schedule
// as messages show it.
Interval ParseInterval(std::string_view text, std::string_view whole, bool allow_bare_unit);

// True when `word` names a unit of ParseInterval().
bool IsIntervalUnit(std::string_view word);

// '2027-01-01 00:00+01', the part behind 'at'.
Once ParseOnce(std::string_view text, std::string_view whole);

}  // namespace ratchet::calendar
