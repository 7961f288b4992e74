#include "calendar/timeline.h"

#include <algorithm>

namespace ratchet::calendar {

Timeline::Timeline(const Schedule& schedule, const Zone& zone, Instant since, Instant start_at,
                   Instant end_at, Instant from, const DaySet* left_out)
    : schedule_(schedule),
      zone_(zone),
      left_out_(left_out != nullptr && !left_out->empty() ? left_out : nullptr),
      anchor_(start_at != 0 ? start_at : schedule.AnchorBefore(from, zone, since)),
      before_(start_at != 0 ? start_at - 1 : kMinInstant),
      end_(end_at != 0 ? end_at : kEndInstant) {}

Instant Timeline::Next(Instant after) const {
  Instant from = std::max(after, before_);
  for (;;) {
    const Instant next = schedule_.Next(from, zone_, anchor_);
    if (next == kNever || next > end_) {
      return kNever;
    }
    if (left_out_ == nullptr || !left_out_->IsLeftOut(next, zone_)) {
      return next;
    }
    const Instant kept = left_out_->FirstKept(next, zone_);
    if (kept == kNever) {
      return kNever;
    }
    from = kept - 1;
  }
}

Instant Timeline::Last(Instant after, Instant until) const {
  after = std::max(after, before_);
  Instant to = std::min(until, end_);
  for (;;) {
    const Instant last = schedule_.Last(after, to, zone_, anchor_);
    if (last == kNever || left_out_ == nullptr || !left_out_->IsLeftOut(last, zone_)) {
      return last;
    }
    to = left_out_->LastKept(after, last, zone_);
    if (to == kNever) {
      return kNever;
    }
  }
}

std::int64_t Timeline::Count(Instant after, Instant until, std::int64_t limit) const {
  after = std::max(after, before_);
  until = std::min(until, end_);
  if (left_out_ == nullptr) {
    return schedule_.Count(after, until, zone_, anchor_, limit);
  }
  std::int64_t count = 0;
  Instant kept = left_out_->FirstKept(after + 1, zone_);
  while (kept <= until && kept != kNever && count < limit) {
    const Instant end = left_out_->FirstLeftOut(kept, zone_);
    count += schedule_.Count(kept - 1, std::min(end - 1, until), zone_, anchor_, limit - count);
    if (end == kNever) {
      break;
    }
    kept = left_out_->FirstKept(end, zone_);
  }
  return count;
}

}  // namespace ratchet::calendar
