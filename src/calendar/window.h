#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calendar/instant.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// Active windows: the hours of the week in which something may start.
//
//   window = group {';' group}
//   group  = [days] [range {',' range}]      without ranges: all day. Without days: every day
//   days   = day ['-' day] {',' day ['-' day]}
//   range  = time '-' time                   [begin, end); 24:00 may end it
//
// A range that does not end on the day on which it begins ends on the next one, and belongs to the
// day on which it begins: 'Fri 22:00-06:00' is open on Saturday morning.
//
// It is open at an instant if, and only if, the clock of the zone shows a reading of the window
// then. So a boundary in a gap is the first valid instant after it, a range within a gap is not
// open on that day, and what lies in a repeated hour is open in both passes of it.
class ActiveWindow {
 public:
  // Always open.
  ActiveWindow() = default;

  // Throws ScheduleError, and no other exception but std::bad_alloc.
  static ActiveWindow Parse(std::string_view text);

  bool IsOpen(Instant t, const Zone& zone) const;

  // The first instant at or after `from` at which it is open, or kNever.
  Instant NextOpening(Instant from, const Zone& zone) const;

  // The first instant at or after `t` at which it is not open: the end of an opening, if it is open
  // at t. Ranges that adjoin are one. kNever if it is always open.
  Instant ClosesAt(Instant t, const Zone& zone) const;

  // Exact English, to read behind "open ": 'on Monday to Friday from 22:00 to 06:00 of the next
  // day'.
  std::string Describe() const;

  friend bool operator==(const ActiveWindow&, const ActiveWindow&) = default;

  // Minutes of a week that begins on Monday, begin < end.
  struct Range {
    std::uint16_t begin;
    std::uint16_t end;

    friend bool operator==(const Range&, const Range&) = default;
  };

 private:
  explicit ActiveWindow(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}

  // Sorted, without overlap, and not adjoining: but one that ends with the week goes on in one that
  // begins with it.
  std::vector<Range> ranges_ = {{0, 7 * 24 * 60}};
};

}  // namespace ratchet::calendar
