#include "policy/batch_size.h"

#include <algorithm>
#include <cmath>

namespace ratchet::policy {
namespace {

// Share of a new batch in what is known. With noise of +-50 % the average then errs by 9 %
// (standard deviation), far from the tolerance.
constexpr double kShare = 1.0 / 8;
constexpr int kFirst = 8;  // so many batches count alike: 1, 1/2, 1/3, ...

// A size that has once fitted is left alone until it is off by more than this factor.
constexpr double kTolerance = 1.4;

// Twice in a row off by more than this, to the same side, is not noise: things have changed.
constexpr double kSurprise = 2.5;

}  // namespace

BatchSize::BatchSize(int initial, std::int64_t target_micros)
    : target_(target_micros), goal_(std::clamp(initial, 1, kMax)), ceiling_(kMax) {}

int BatchSize::size() const { return std::min({goal_, ceiling_, bound_}); }

void BatchSize::Took(int items, std::int64_t micros) {
  if (items < size()) {
    return;
  }
  if (ceiling_ < goal_) {
    // What a batch costs by itself weighs more in a small one: nothing to learn from.
    ceiling_ = std::min(goal_, ceiling_ + std::max(1, ceiling_ / 4));
    return;
  }
  ceiling_ = kMax;
  if (target_ <= 0) {
    return;
  }
  Learn(std::log(static_cast<double>(std::max<std::int64_t>(micros, 1)) / items));
  Adapt();
}

void BatchSize::Learn(double item_log) {
  const double off = item_log - item_log_;
  if (learnt_ > 0 && std::abs(off) > std::log(kSurprise)) {
    const int side = off < 0 ? -1 : 1;
    if (surprise_ != side) {
      surprise_ = side;
      return;
    }
    learnt_ = 0;
  }
  surprise_ = 0;
  learnt_ = std::min(learnt_ + 1, kFirst);
  item_log_ += (item_log - item_log_) * std::max(kShare, 1.0 / learnt_);
}

void BatchSize::Adapt() {
  const double wanted = static_cast<double>(target_) / std::exp(item_log_);
  if (settled_ && wanted < goal_ * kTolerance && wanted > goal_ / kTolerance) {
    return;
  }
  const double least = std::ceil(goal_ / 2.0);
  const double most = std::min<double>(bound_, goal_ * 2.0);
  settled_ = wanted >= least && wanted <= most;
  goal_ = static_cast<int>(std::lround(std::clamp(wanted, least, most)));
}

void BatchSize::Bound(int most) {
  bound_ = std::clamp(most, 1, bound_);
  goal_ = std::min(goal_, bound_);
}

void BatchSize::Shrink() { ceiling_ = std::max(1, size() / 2); }

}  // namespace ratchet::policy
