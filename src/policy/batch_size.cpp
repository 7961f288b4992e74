#include "policy/batch_size.h"

#include <algorithm>
#include <cmath>

namespace ratchet::policy {
namespace {

constexpr double kWeight = 0.3;     // of the newest batch
constexpr double kDeadBand = 0.15;  // differences that are left alone

}  // namespace

void BatchSize::Took(int items, std::int64_t micros) {
  if (items <= 0) {
    return;
  }
  if (target_ > 0) {
    const double cost = std::max(static_cast<double>(micros) / items, 0.01);
    cost_ = cost_ == 0 ? cost : cost_ + kWeight * (cost - cost_);
    const double ideal = static_cast<double>(target_) / cost_;
    const bool full = items >= size_;
    if (std::abs(ideal - wanted_) > kDeadBand * wanted_ && (full || ideal < wanted_)) {
      wanted_ = static_cast<int>(std::clamp(ideal, wanted_ * 0.5, wanted_ * 2.0));
      wanted_ = std::clamp(wanted_, 1, kLargest);
    }
  }
  // After Shrink it grows back step by step.
  size_ = size_ < wanted_ ? std::min(wanted_, size_ * 2) : wanted_;
}

void BatchSize::Shrink() { size_ = std::max(1, size_ / 2); }

}  // namespace ratchet::policy
