// What something costs, by its last few measurements.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

namespace ratchet::policy {

// A median, because a slice that waited for a lock is off by a factor of a thousand: it would show
// in any average for long. Up to four such measurements of the last nine change nothing.
class RecentMedian {
 public:
  explicit RecentMedian(double prior) : value_(prior) {}

  void Add(double measured) {
    if (!std::isfinite(measured)) {
      return;
    }
    // Clocks have a resolution, and may be set back.
    recent_[static_cast<std::size_t>(next_)] = std::max(measured, kLeast);
    next_ = (next_ + 1) % kSize;
    count_ = std::min(count_ + 1, kSize);
    std::array<double, kSize> sorted = recent_;
    const auto middle = sorted.begin() + count_ / 2;
    std::nth_element(sorted.begin(), middle, sorted.begin() + count_);
    value_ = *middle;
  }
  // The prior until something was measured.
  double value() const { return value_; }
  bool measured() const { return count_ > 0; }

 private:
  static constexpr int kSize = 9;
  static constexpr double kLeast = 0.05;  // microseconds

  std::array<double, kSize> recent_{};
  int next_ = 0;
  int count_ = 0;
  double value_;
};

}  // namespace ratchet::policy
