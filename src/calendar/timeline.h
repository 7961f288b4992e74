#pragma once

#include <algorithm>

#include "calendar/schedule.h"

namespace ratchet::calendar {

// The occurrences of a job over all time, for backfills: also those before the job was defined. An
// explicit start_at and end_at bound it, for they are the life of the job.
class Timeline {
 public:
  // `since` anchors an interval without start_at; 0 stands for none in start_at and end_at. It goes
  // back to `from`. The schedule and the zone must outlive it.
  Timeline(const Schedule& schedule, const Zone& zone, Instant since, Instant start_at,
           Instant end_at, Instant from)
      : schedule_(schedule),
        zone_(zone),
        anchor_(start_at != 0 ? start_at : schedule.AnchorBefore(from, zone, since)),
        before_(start_at != 0 ? start_at - 1 : kMinInstant),
        end_(end_at != 0 ? end_at : kEndInstant) {}

  // First occurrence after the instant, or kNever.
  Instant Next(Instant after) const {
    const Instant next = schedule_.Next(std::max(after, before_), zone_, anchor_);
    return next <= end_ ? next : kNever;
  }

  // Latest occurrence before the instant, or kNever.
  Instant Previous(Instant before) const {
    return schedule_.Last(before_, std::min(before - 1, end_), zone_, anchor_);
  }

  // Occurrences in (after, until], counted at most to `limit`.
  std::int64_t Count(Instant after, Instant until, std::int64_t limit) const {
    return schedule_.Count(std::max(after, before_), std::min(until, end_), zone_, anchor_, limit);
  }

 private:
  const Schedule& schedule_;
  const Zone& zone_;
  Instant anchor_;
  Instant before_;
  Instant end_;
};

}  // namespace ratchet::calendar
