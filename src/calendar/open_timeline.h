#pragma once

#include <cstdint>

#include "calendar/timeline.h"
#include "calendar/window.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// Occurrences outside of a window.
struct ClosedOccurrences {
  std::int64_t count = 0;
  Instant first = 0;
  Instant last = 0;
};

// The occurrences of a timeline at which an active window is open; without a window all of them.
// Goes from opening to opening, not from occurrence to occurrence.
//
// A view, as Timeline is: the window and the zone must outlive it. `window` may be null.
class OpenTimeline {
 public:
  OpenTimeline(const Timeline& timeline, const ActiveWindow* window, const Zone& zone)
      : timeline_(timeline), window_(window), zone_(zone) {}

  // As those of Timeline. An occurrence that is open must come within kMostClosings openings: a
  // schedule for noon and a window for the night have none.
  Instant Next(Instant after) const;
  Instant Last(Instant after, Instant until) const;
  Instant Previous(Instant before) const { return Last(kMinInstant, before - 1); }
  std::int64_t Count(Instant after, Instant until, std::int64_t limit) const;

  // The occurrences in (after, until] at which it is not open, counted at most to about `limit`.
  ClosedOccurrences Closed(Instant after, Instant until, std::int64_t limit) const;

 private:
  Instant LastOpen(Instant after, Instant until) const;

  Timeline timeline_;
  const ActiveWindow* window_;
  const Zone& zone_;
};

}  // namespace ratchet::calendar
