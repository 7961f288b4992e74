#include "calendar/zone.h"

namespace ratchet::calendar {

namespace {

constexpr std::int64_t kLargestOffset = 26 * kHour;

}  // namespace

Zone::~Zone() = default;

int FixedZone::OffsetAt(Instant /*t*/) const { return offset_; }

bool FixedZone::NextTransition(Instant /*t*/, Instant* /*at*/, int* /*offset_before*/,
                               int* /*offset_after*/) const {
  return false;
}

bool LastTransition(const Zone& zone, Instant from, Instant until, Instant* at) {
  bool found = false;
  Instant next = 0;
  int before = 0;
  int after = 0;
  while (zone.NextTransition(from, &next, &before, &after) && next <= until) {
    *at = next;
    found = true;
    from = next;
  }
  return found;
}

Local LocalAt(Instant t, const Zone& zone) { return t + zone.OffsetAt(t) * kSecond; }

Resolution Resolve(Local local, const Zone& zone) {
  // Between two transitions the offset is constant, so each such stretch of time shows the reading
  // at most once. Only stretches that can show it are looked at.
  Instant begin = local - kLargestOffset;
  const Instant last = local + kLargestOffset;
  std::int64_t offset = zone.OffsetAt(begin) * kSecond;
  Resolution found;
  Resolution gap;
  bool has_gap = false;
  int passes = 0;
  Local repeated_begin = 0;
  Local repeated_end = 0;
  for (;;) {
    Instant end = kNever;
    int before = 0;
    int after = 0;
    const bool ends = zone.NextTransition(begin, &end, &before, &after);
    const Instant candidate = local - offset;
    if (candidate >= begin && (!ends || candidate < end)) {
      if (passes == 0) {
        found.first = candidate;
      }
      found.second = candidate;
      ++passes;
    }
    if (!ends || end > last) {
      break;
    }
    const Local old_reading = end + before * kSecond;
    const Local new_reading = end + after * kSecond;
    if (old_reading <= local && local < new_reading && !has_gap) {
      has_gap = true;
      gap = {LocalKind::kGap, end, end, old_reading, new_reading};
    }
    if (new_reading <= local && local < old_reading) {
      repeated_begin = new_reading;
      repeated_end = old_reading;
    }
    begin = end;
    offset = after * kSecond;
  }
  if (passes == 0 && has_gap) {
    return gap;
  }
  if (passes > 1) {
    found.kind = LocalKind::kRepeated;
    found.local_begin = repeated_begin;
    found.local_end = repeated_end;
  }
  return found;
}

}  // namespace ratchet::calendar
