#include "policy/clock_watch.h"

#include <algorithm>
#include <cstdlib>

namespace ratchet::policy {
namespace {

// A clock that is kept in time goes faster or slower by less than this part, and by less than that
// over a long time.
constexpr std::int64_t kSlewed = 10;
constexpr std::int64_t kSlewedForLong = 1000;

}  // namespace

calendar::Instant OnClockOf(const Moment& now, const Moment& then) {
  const std::int64_t elapsed = std::max<std::int64_t>(now.steady - then.steady, 0);
  const std::int64_t set = now.wall - then.wall - elapsed;
  return std::abs(set) > kLeastJump + elapsed / kSlewedForLong ? now.wall - elapsed
                                                               : std::min(then.wall, now.wall);
}

std::int64_t ClockWatch::Look(const Moment& now) {
  const std::int64_t found = now.wall - now.steady.micros;
  if (!HasLooked()) {
    offset = found;
    looked_at = now.steady;
    return 0;
  }
  const std::int64_t by = found - offset;
  const std::int64_t slewed = std::max<std::int64_t>(now.steady - looked_at, 0) / kSlewed;
  looked_at = now.steady;
  if (std::abs(by) <= kLeastJump) {
    offset += std::clamp(by, -slewed, slewed);
    return 0;
  }
  offset = found;
  ahead = AheadAt(now.steady) + by;
  doubted_at = now.steady;
  return by;
}

void ClockWatch::DoubtSince(calendar::Instant last_known, const Moment& now) {
  ahead = std::max<std::int64_t>(now.wall - last_known, 0);
  doubted_at = now.steady;
}

std::int64_t ClockWatch::AheadAt(SteadyTime now) const {
  return now - doubted_at < kDoubtLasts ? ahead : 0;
}

calendar::Instant ClockWatch::Believed(const Moment& now) const {
  return now.wall - std::max<std::int64_t>(AheadAt(now.steady), 0);
}

}  // namespace ratchet::policy
