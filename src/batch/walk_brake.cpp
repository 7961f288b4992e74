// What the walk makes of failures that are all alike: see policy/brake.h.
#include <algorithm>

#include "batch/walk.h"

namespace ratchet::batch {
namespace {

// In the order of the batch, as the failures are.
std::vector<policy::Brake::Failed> FailedOf(const std::vector<Failure>& failures) {
  std::vector<policy::Brake::Failed> failed;
  failed.reserve(failures.size());
  for (const Failure& failure : failures) {
    failed.push_back({failure.item, &failure.words});
  }
  return failed;
}

}  // namespace

// Items that have failed before stay what they are, however often they fail.
bool Walk::HasBrake() const { return !over_failed_items(); }

// In the middle of a batch, after each slice: so it looks closely only when the last failures lie
// side by side.
bool Walk::ManyAlike() const {
  const auto ahead = std::find_if(done_.failures.rbegin(), done_.failures.rend(),
                                  [this](const Failure& one) { return one.item < done_.items; });
  const auto before = static_cast<std::size_t>(done_.failures.rend() - ahead);
  const std::size_t sure = brake_.sure();
  if (!HasBrake() || before < sure || ahead->item != done_.items - 1 ||
      static_cast<std::size_t>(done_.items - done_.failures[before - sure].item) != sure) {
    return false;
  }
  const auto first = done_.failures.begin() + static_cast<std::ptrdiff_t>(before - sure);
  return std::all_of(first, first + static_cast<std::ptrdiff_t>(sure),
                     [&](const Failure& one) { return one.words == ahead->words; });
}

// At the end of a batch, when its errors still belong to it. True when the run is to end before the
// first failure of the row: then nothing of it is left in the batch, and what earlier batches have
// set aside of it is taken back. None of these items has had an effect.
bool Walk::Brakes() {
  look_ = {done_.items, 0, false, false};
  takes_back_ = false;
  if (!HasBrake() || TooManyFailed()) {
    return false;
  }
  look_ = brake_.LookAt(FailedOf(done_.failures), done_.items, done_.items == items_.size());
  if (look_.length > 0 && !look_.joins_earlier) {
    alike_from_ = supply_->PositionBehind(items_, look_.begin, now_.at);
  }
  if (!look_.stops) {
    return false;
  }
  const auto first = std::find_if(done_.failures.begin(), done_.failures.end(),
                                  [this](const Failure& one) { return one.item >= look_.begin; });
  alike_ = {look_.length, first->error, text_->KeyOf(items_, first->item)};
  done_.failures.erase(first, done_.failures.end());
  done_.items = look_.begin;
  if (look_.joins_earlier) {
    takes_back_ = true;
    now_.at = earlier_alike_.from;
    now_.counters.items_failed -= static_cast<std::int64_t>(earlier_alike_.item_ids.size());
  }
  return true;
}

// After the commit.
void Walk::NoteAlike() {
  if (!HasBrake() || done_.items == 0) {
    return;
  }
  if (!look_.joins_earlier) {
    earlier_alike_ = {alike_from_, {}};
  }
  for (const Failure& failure : done_.failures) {
    if (failure.item >= look_.begin) {
      earlier_alike_.item_ids.push_back(failure.item_id);
    }
  }
  brake_.Committed(FailedOf(done_.failures), done_.items, look_);
}

}  // namespace ratchet::batch
