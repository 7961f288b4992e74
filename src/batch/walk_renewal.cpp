// What a walk was made from may change between two of its batches, and while one is fetched: types
// and collations of the key, labels of an enum, the columns of the source.
#include <algorithm>

#include "batch/walk.h"
#include "pg/guard.h"

namespace ratchet::batch {
namespace {

// Caches may be emptied at any time, but not again and again while nothing is fetched.
constexpr int kMostRenewals = 20;

bool AreSame(const Column& a, const Column& b) {
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod && a.collation == b.collation;
}

}  // namespace

// In the batch's transaction. Costs nothing unless something has changed.
bool Walk::IsAsLookedUp() {
  if (!watch_.HasChanged() && !renewing_) {
    return true;
  }
  CatalogWatch watch;
  watch.Begin();
  const Shape shape = ShapeOf(definition_);
  if (renewing_ ||
      !std::equal(shape.columns.begin(), shape.columns.end(), shape_.columns.begin(),
                  shape_.columns.end(), AreSame) ||
      shape.key != shape_.key || shape.outputs != shape_.outputs ||
      TextOf(OrderOf(shape)) != key_->signature()) {
    return false;
  }
  watch_ = watch;
  return true;
}

// Before a batch is fetched: goes on by what there is now, or throws. A lock may come in between,
// and then all of it is done again.
void Walk::Renew() {
  if (IsAsLookedUp()) {
    return;
  }
  renewing_ = true;
  LookUp();
  const std::string at = supply_->Translate(*key_, committed_.signature, now_.at);
  from_ = supply_->Translate(*key_, committed_.signature, from_);
  earlier_alike_.from = supply_->Translate(*key_, committed_.signature, earlier_alike_.from);
  now_.at = committed_.at = at;
  now_.signature = committed_.signature = key_->signature();
  renewing_ = false;
}

// After something has changed while the batch was being fetched: nothing of it has been done yet.
bool Walk::DoAgain(bool aborts_cleanly) {
  if (renewals_ >= kMostRenewals || !host_.Abort(aborts_cleanly)) {
    return false;
  }
  renewals_++;
  TakeBack();
  return true;
}

}  // namespace ratchet::batch
