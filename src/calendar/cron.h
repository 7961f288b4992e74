#pragma once

#include <cstdint>

#include "calendar/instant.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// A parsed cron line: bit sets, so that the next match is found with a few bit operations.
// All day rules of one field are alternatives of each other.
struct Cron {
  std::uint64_t seconds = 0;           // bits 0..59
  std::uint64_t minutes = 0;           // bits 0..59
  std::uint64_t nth_weekdays = 0;      // bit 7 * (n - 1) + weekday: MON#2; n is 1..5
  std::uint32_t hours = 0;             // bits 0..23
  std::uint32_t days = 0;              // bits 1..31
  std::uint32_t nearest_weekdays = 0;  // bits 1..31: 15W
  std::uint32_t days_before_last = 0;  // bits 0..30: L is bit 0, L-3 is bit 3
  std::uint16_t months = 0;            // bits 1..12
  std::uint8_t weekdays = 0;           // bits 0..6, 0 is Sunday
  std::uint8_t last_weekdays = 0;      // bits 0..6: 5L
  bool last_workday : 1 = false;       // LW
  bool day_star : 1 = false;           // the day-of-month field starts with '*' or is '?'
  bool weekday_star : 1 = false;       // likewise the day-of-week field
  bool elapsed : 1 = false;            // the minute or hour field starts with '*'

  friend bool operator==(const Cron&, const Cron&) = default;
};

// The days on which it matches in a month of that length that starts on that weekday: bits 1..31.
std::uint32_t MatchingDays(const Cron& cron, int days_in_month, int first_weekday);

// False for 30 February and the like.
bool CanEverMatch(const Cron& cron);

// First reading of the wall clock at or after `local`, last one at or before it. False when there
// is none within the range of instants.
bool MatchAtOrAfter(const Cron& cron, Local local, Local* match);
bool MatchAtOrBefore(const Cron& cron, Local local, Local* match);

Instant NextOfCron(const Cron& cron, Instant after, const Zone& zone);
Instant LastOfCron(const Cron& cron, Instant after, Instant until, const Zone& zone);

}  // namespace ratchet::calendar
