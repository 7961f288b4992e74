#include "policy/failure_rate.h"

#include <algorithm>

namespace ratchet::policy {
namespace {

// What the gap before last weighs against the last one: about eight failures count.
constexpr double kMemory = 7.0 / 8.0;

}  // namespace

void FailureRate::Bad() {
  std::rotate(last_gaps_.begin(), last_gaps_.end() - 1, last_gaps_.end());
  last_gaps_[0] = gap_ + 1;
  seen_ = std::min(seen_ + 1, kLast);
  failures_ = failures_ * kMemory + 1;
  items_ = items_ * kMemory + gap_ + 1;
  gap_ = 0;
}

double FailureRate::value() const {
  if (seen_ == 0) {
    return 0;
  }
  double rate = failures_ / (items_ + gap_);
  // A region begins: three failures closer together than is likely (8 %) at the rate so far.
  if (seen_ == kLast) {
    double span = gap_;
    for (const double gap : last_gaps_) {
      span += gap;
    }
    rate = std::max(rate, 1 / span);
  }
  // A region has ended: no failure for longer than is likely (13 %).
  if (gap_ > 0) {
    rate = std::min(rate, 2 / gap_);
  }
  return std::min(rate, 1.0);
}

}  // namespace ratchet::policy
