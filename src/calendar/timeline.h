#pragma once

#include <cstdint>

#include "calendar/day_set.h"
#include "calendar/schedule.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// The occurrences of a job over all time, also those before it was defined: its schedule in its
// zone, within the life that start_at and end_at give it, without the days that are left out.
//
// An occurrence is left out if the clock shows such a day when it is due. Left-out days are passed
// over at once, not occurrence by occurrence, so that a look-up costs no more than one for each
// stretch of them that lies in its way.
//
// It is a view: schedule, zone and left-out days must outlive it.
class Timeline {
 public:
  // `since` anchors an interval without start_at; 0 stands for none in start_at and end_at. It goes
  // back to `from`. `left_out` may be null.
  Timeline(const Schedule& schedule, const Zone& zone, Instant since, Instant start_at,
           Instant end_at, Instant from, const DaySet* left_out = nullptr);

  // First occurrence after the instant, or kNever.
  Instant Next(Instant after) const;

  // Latest occurrence in (after, until], or kNever.
  Instant Last(Instant after, Instant until) const;

  // Occurrences in (after, until], counted at most to `limit`.
  std::int64_t Count(Instant after, Instant until, std::int64_t limit) const;

 private:
  const Schedule& schedule_;
  const Zone& zone_;
  const DaySet* left_out_;
  Instant anchor_;
  Instant before_;
  Instant end_;
};

}  // namespace ratchet::calendar
