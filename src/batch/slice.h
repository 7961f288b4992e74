// The query of a slice: the next items behind a key. Which form it has, and how it is planned, is
// found out here, by what the planner makes of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "batch/bounds.h"
#include "batch/items.h"
#include "batch/kept_query.h"
#include "batch/key.h"
#include "batch/shape.h"

namespace ratchet::batch {

class Slice {
 public:
  // All of it outlives the slice. `from` is the source as a FROM clause; lower, upper: which bounds
  // there are.
  Slice(const Shape& shape, const Key& key, const std::string& from, bool lower, bool upper);

  // In a transaction. Appends up to `rows` items and returns how many there were; `values` are the
  // columns of the bounds.
  int Fetch(const Datum* values, int rows, const policy::SlicesSoFar& seen, Items* items);
  // Of the last one: it sorted all that is left. In the planner's unit; 0 if it did not.
  double sorting_cost() const { return sorting_cost_; }

 private:
  // Sees to it that the query has the form that its sources want, and a plan that is right for what
  // has been seen.
  void Prepare(int rows, const policy::SlicesSoFar& seen);
  void Write(int limit);
  BoundsForm FormFor(const KeptQuery::PlanFacts& facts) const;

  const Shape& shape_;
  const Key& key_;
  const std::string& from_;
  const bool lower_;
  const bool upper_;
  BoundsForm form_ = BoundsForm::kRows;
  int limit_ = 0;  // in the query
  std::optional<KeptQuery> query_;
  double sorting_cost_ = 0;
};

}  // namespace ratchet::batch
