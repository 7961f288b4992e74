#include "calendar/open_timeline.h"

#include <algorithm>

namespace ratchet::calendar {

namespace {

// Of a daily schedule that is nearly three years, of a yearly one all that there will be.
constexpr int kMostClosings = 1000;

}  // namespace

Instant OpenTimeline::Next(Instant after) const {
  Instant next = timeline_.Next(after);
  for (int i = 0; window_ != nullptr && next != kNever && !window_->IsOpen(next, zone_); ++i) {
    const Instant opening = window_->NextOpening(next, zone_);
    if (opening == kNever || i == kMostClosings) {
      return kNever;
    }
    next = timeline_.Next(opening - 1);
  }
  return next;
}

// The last instant in (after, until] at which the window is open, or kNever.
Instant OpenTimeline::LastOpen(Instant after, Instant until) const {
  // It opens each week, unless a range is lost in a gap of the clock.
  constexpr std::int64_t kLook = 8 * kDay;
  for (Instant end = until; end > after; end -= kLook) {
    Instant last = kNever;
    const Instant begin = std::max(after + 1, end - kLook);
    for (Instant t = window_->NextOpening(begin, zone_); t <= end;
         t = window_->NextOpening(t, zone_)) {
      t = window_->ClosesAt(t, zone_);
      last = std::min(t - 1, end);
    }
    if (last != kNever) {
      return last;
    }
  }
  return kNever;
}

Instant OpenTimeline::Last(Instant after, Instant until) const {
  Instant last = timeline_.Last(after, until);
  for (int i = 0; window_ != nullptr && last != kNever && !window_->IsOpen(last, zone_); ++i) {
    const Instant open = i == kMostClosings ? kNever : LastOpen(after, last);
    last = open == kNever ? kNever : timeline_.Last(after, open);
  }
  return last;
}

std::int64_t OpenTimeline::Count(Instant after, Instant until, std::int64_t limit) const {
  if (window_ == nullptr) {
    return timeline_.Count(after, until, limit);
  }
  std::int64_t count = 0;
  Instant next = timeline_.Next(after);
  while (next != kNever && next <= until && count < limit) {
    const Instant opening = window_->NextOpening(next, zone_);
    if (opening > until) {
      break;
    }
    const Instant closing = window_->ClosesAt(opening, zone_);
    count += timeline_.Count(opening - 1, std::min(until, closing - 1), limit - count);
    next = closing == kNever ? kNever : timeline_.Next(closing - 1);
  }
  return count;
}

ClosedOccurrences OpenTimeline::Closed(Instant after, Instant until, std::int64_t limit) const {
  ClosedOccurrences closed;
  if (window_ == nullptr) {
    return closed;
  }
  Instant next = timeline_.Next(after);
  while (next != kNever && next <= until && closed.count < limit) {
    if (window_->IsOpen(next, zone_)) {
      const Instant closing = window_->ClosesAt(next, zone_);
      next = closing == kNever ? kNever : timeline_.Next(closing - 1);
      continue;
    }
    const Instant opening = window_->NextOpening(next, zone_);
    const Instant end = std::min(until, opening - 1);
    closed.first = closed.count == 0 ? next : closed.first;
    closed.count += timeline_.Count(next - 1, end, limit - closed.count);
    closed.last = timeline_.Last(next - 1, end);
    next = opening == kNever ? kNever : timeline_.Next(opening - 1);
  }
  return closed;
}

}  // namespace ratchet::calendar
