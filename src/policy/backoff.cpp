#include "policy/backoff.h"

#include <algorithm>
#include <cmath>

namespace ratchet::policy {

std::int64_t BackoffDelay(const Backoff& backoff, int failures, double unit) {
  const auto cap = static_cast<double>(backoff.cap);
  double delay = static_cast<double>(backoff.base) * std::pow(backoff.factor, failures);
  // A factor above 1 overflows to infinity sooner or later, and zero times infinity is not a
  // number.
  if (!(delay < cap)) {
    delay = cap;
  }
  delay *= 1.0 + backoff.jitter * (2.0 * unit - 1.0);
  return static_cast<std::int64_t>(std::clamp(delay, 0.0, cap));
}

}  // namespace ratchet::policy
