#include "policy/item_isolation.h"

#include <algorithm>
#include <cmath>

namespace ratchet::policy {
namespace {

// Failures are remembered over about so many items: long enough to know a rate of one in a
// thousand, short enough to notice within a batch or two that a bad region has begun or ended.
constexpr double kMemory = 500;

constexpr double kCostWeight = 0.1;
constexpr double kOutlier = 4;  // a slice that waited for something is no measure

// Each savepoint that wrote brings the commit nearer that a transaction must not go without after
// 60 of them: a sixtieth of what a commit costs, in microseconds.
constexpr double kShareOfCommit = 1.5;

// A slice of up to so many items is searched item by item.
constexpr int kSmall = 6;

void Average(double* mean, double value) {
  *mean += kCostWeight * (std::min(value, *mean * kOutlier) - *mean);
}

}  // namespace

void ItemIsolation::BeginBatch(int items) {
  items_ = items;
  next_ = 0;
  condemned_.clear();
  searches_.clear();
}

int ItemIsolation::savepoint_distance() const {
  if (rate_ <= 0) {
    return std::max(items_, 1);
  }
  const double savepoint = savepoint_cost_ + kShareOfCommit;
  // Half of a slice is redone when the culprit is known. When it has to be searched, the slice is
  // done one and a half times more, and with a savepoint for each item.
  const double redone = blind_ ? 1.5 * item_cost_ + savepoint : 0.5 * item_cost_;
  const double distance = std::sqrt(savepoint / (rate_ * std::max(redone, 0.01)));
  return static_cast<int>(std::clamp(distance, 1.0, static_cast<double>(std::max(items_, 1))));
}

ItemIsolation::Slice ItemIsolation::Next() const {
  // Items ahead of a condemned one went well before it failed: they are redone in one go.
  int count = condemned_.empty() ? std::min(savepoint_distance(), items_ - next_)
                                 : condemned_.back() - next_;
  if (!searches_.empty()) {
    count = std::min({count, searches_.back().limit, searches_.back().end - next_});
  }
  return {next_, count};
}

// Passes what is finished.
void ItemIsolation::Advance(int to) {
  next_ = to;
  while (!condemned_.empty() && condemned_.back() == next_) {
    condemned_.pop_back();
    next_++;
  }
  while (!searches_.empty() && searches_.back().end <= next_) {
    searches_.pop_back();
  }
}

void ItemIsolation::Learn(int items, int failures) {
  const double weight = 1 - std::exp(-items / kMemory);
  rate_ += weight * (static_cast<double>(failures) / items - rate_);
  if (failures == 0 && rate_ < 1e-6) {
    rate_ = 0;
  }
}

void ItemIsolation::Succeeded(std::int64_t execution, std::int64_t savepoint) {
  const Slice slice = Next();
  Average(&item_cost_, static_cast<double>(execution) / slice.count);
  Average(&savepoint_cost_, static_cast<double>(savepoint));
  Learn(slice.count, 0);
  Advance(slice.first + slice.count);
}

int ItemIsolation::Failed(int culprit) {
  const Slice slice = Next();
  if (culprit == kUnknown && slice.count > 1) {
    blind_ = true;
    const int limit =
        slice.count <= kSmall
            ? 1
            : static_cast<int>(std::ceil(std::sqrt(static_cast<double>(slice.count))));
    searches_.push_back({slice.first + slice.count, limit});
    return kNone;
  }
  const int bad = culprit == kUnknown ? slice.first : culprit;
  if (slice.count > 1) {
    blind_ = false;
  }
  Learn(1, 1);
  condemned_.push_back(bad);
  Advance(next_);  // if it is the next one
  return bad;
}

}  // namespace ratchet::policy
