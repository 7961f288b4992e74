#include "policy/item_isolation.h"

#include <algorithm>
#include <cmath>

namespace ratchet::policy {
namespace {

// Weight of the last failure in the share of failures with an unknown culprit.
constexpr double kLastFailure = 0.25;

// Slices may be longer than is best for the time: around the best length the cost is flat (this
// much adds 2 % to what isolation costs, a tenth of that to the whole), and a transaction has room
// for a limited number of savepoints.
constexpr double kFewerSavepoints = 1.2;

}  // namespace

ItemIsolation::ItemIsolation(const Costs& priors)
    : savepoint_(priors.savepoint),
      per_item_(priors.item),
      single_(priors.item),
      each_further_(priors.item) {}

void ItemIsolation::BeginBatch(int items) {
  items_ = std::max(items, 0);
  next_ = 0;
  counted_ = 0;
  suspect_end_ = 0;
  condemned_ahead_.clear();
  redo_went_well_ = false;
}

ItemIsolation::Slice ItemIsolation::Next() const {
  const int limit = condemned_ahead_.empty() ? items_ : condemned_ahead_.back();
  return {next_, std::min(LengthOfSlice(limit), limit - next_)};
}

int ItemIsolation::LengthOfSlice(int limit) const {
  const int suspects = suspect_end_ - next_;
  if (suspects > 1) {
    // One of them is bad, so that is the least rate. Half of them at most, whatever a savepoint is
    // said to cost: then each answer leaves at most half of the suspects, or finishes as many. With
    // more, and costs measured while the process had to wait for its turn again and again, the
    // search would become one item after the other, which executes a batch as often as it has
    // items.
    return std::min(Distance(std::max(rate_.value(), 1.0 / suspects), 1.0), suspects / 2);
  }
  if (suspects == 1) {
    return 1;
  }
  if (redo_went_well_ && !condemned_ahead_.empty()) {
    return limit - next_;
  }
  return savepoint_distance();
}

void ItemIsolation::Succeeded(std::int64_t micros, std::int64_t savepoint_micros) {
  const Slice slice = Next();
  savepoint_.Add(static_cast<double>(savepoint_micros));
  LearnCosts(slice.count, static_cast<double>(micros));
  const int end = slice.first + slice.count;
  CountGood(end);
  Advance(end);
}

int ItemIsolation::Failed(int culprit) {
  const Slice slice = Next();
  if (slice.count == 1) {
    Condemn(slice.first);
    Advance(slice.first + 1);
    return slice.first;
  }
  const bool known = culprit >= slice.first && culprit < slice.first + slice.count;
  const double unknown = known ? 0.0 : 1.0;
  unknown_share_ =
      share_measured_ ? unknown_share_ + (unknown - unknown_share_) * kLastFailure : unknown;
  share_measured_ = true;
  if (!known) {
    suspect_end_ = slice.first + slice.count;
    redo_went_well_ = false;
    return kNone;
  }
  suspect_end_ = 0;
  CountGood(culprit);
  Condemn(culprit);
  if (culprit == slice.first) {
    Advance(culprit + 1);
  } else {
    redo_went_well_ = condemned_ahead_.empty();
    condemned_ahead_.push_back(culprit);
  }
  return culprit;
}

// Items that are executed again were good before: they count once.
void ItemIsolation::CountGood(int end) {
  if (end > counted_) {
    rate_.Good(end - std::max(counted_, next_));
    counted_ = end;
  }
}

void ItemIsolation::Condemn(int item) {
  rate_.Bad();
  counted_ = std::max(counted_, item + 1);
  // What comes behind the bad one of the suspects is as good as any other.
  suspect_end_ = 0;
}

void ItemIsolation::Advance(int to) {
  next_ = to;
  while (!condemned_ahead_.empty() && condemned_ahead_.back() == next_) {
    condemned_ahead_.pop_back();
    next_++;
  }
}

void ItemIsolation::LearnCosts(int count, double micros) {
  const double per_item = micros / count;
  per_item_.Add(per_item);
  if (count == 1) {
    single_.Add(micros);
  } else if (single_.measured()) {
    // Not below a tenth: when items get cheaper, what is known of single ones may be too much.
    each_further_.Add(std::max((micros - single_.value()) / (count - 1), per_item / 10));
  }
}

// A statement over the whole slice has a cost of its own, which is saved with the savepoint. That
// is where culprits are unknown; there single items are executed for every failure, so that the two
// costs can be told apart.
double ItemIsolation::ItemCost() const {
  if (unknown_share_ < 0.5 || !each_further_.measured()) {
    return per_item_.value();
  }
  return std::min(each_further_.value(), single_.value());
}

double ItemIsolation::SliceCost() const {
  if (unknown_share_ < 0.5 || !each_further_.measured()) {
    return savepoint_.value();
  }
  return savepoint_.value() + std::max(0.0, single_.value() - ItemCost());
}

// The length d at which the cost of savepoints, slice_cost / d per item, and that of failures, rate
// * lost_share * d * item_cost per item, are the same: there their sum is the least.
int ItemIsolation::Distance(double rate, double lost_share) const {
  const double best = std::sqrt(SliceCost() / (rate * lost_share * ItemCost()));
  // A single item that fails throws nothing away: below 1.5, when half of a slice is lost, and
  // below 2, when all of it is, one by one is cheaper than the formula says.
  if (best < 1.0 + lost_share) {
    return 1;
  }
  return static_cast<int>(std::min(best * kFewerSavepoints + 0.5, 1e9));
}

int ItemIsolation::savepoint_distance() const {
  const int most = std::max(items_, 1);
  const double rate = rate_.value();
  if (rate <= 0) {
    return most;
  }
  // With the culprit known, what came before it is executed twice: half of a slice. Unknown, all.
  return std::clamp(Distance(rate, 0.5 + 0.5 * unknown_share_), 1, most);
}

}  // namespace ratchet::policy
