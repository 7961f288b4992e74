#include "batch/slice.h"

#include <bit>

#include "batch/subquery.h"

extern "C" {
#include "executor/instrument.h"
}

namespace ratchet::batch {
namespace {

double PagesTouched() {
  return static_cast<double>(pgBufferUsage.shared_blks_hit + pgBufferUsage.shared_blks_read);
}

}  // namespace

Slice::Slice(const Shape& shape, const Key& key, const std::string& from, bool lower, bool upper)
    : shape_(shape), key_(key), from_(from), lower_(lower), upper_(upper) {}

void Slice::Write(int limit) {
  std::vector<Oid> types;
  for (int end = 0; end < static_cast<int>(lower_) + static_cast<int>(upper_); end++) {
    for (int i = 0; i < key_.size(); i++) {
      types.push_back(key_.type(i));
    }
  }
  limit_ = limit;
  query_.emplace("SELECT " + Aliases(shape_) + from_ + Bounds(key_, form_, lower_, upper_) +
                     InOrder(shape_, false) + " LIMIT " + std::to_string(limit),
                 std::move(types), shape_);
}

BoundsForm Slice::FormFor(const KeptQuery::PlanFacts& facts) const {
  if (facts.reads_foreign_table) {
    return BoundsForm::kColumns;
  }
  return facts.spans_tables ? BoundsForm::kRowsBehindFirst : BoundsForm::kRows;
}

void Slice::Prepare(int rows, const policy::SlicesSoFar& seen) {
  // The planner gets a number that holds for some time while the size of the batches adapts. A
  // foreign server would send so many.
  const bool exact = form_ == BoundsForm::kColumns;
  if (!query_ || rows > limit_ || (exact ? rows != limit_ : rows < limit_ / 8)) {
    Write(exact ? rows : static_cast<int>(std::bit_ceil(static_cast<unsigned>(rows))));
  }
  if (query_->Plan(seen)) {
    if (const BoundsForm form = FormFor(query_->facts()); form != form_) {
      form_ = form;
      Write(form_ == BoundsForm::kColumns ? rows : limit_);
      query_->Plan(seen);
    }
  } else if (query_->facts().has_other_way &&
             policy::PrefersOrder(query_->facts().ordered, query_->facts().sorted_cost, limit_,
                                  seen)) {
    // More of the walk has been seen than when the plan was made.
    Write(limit_);
    query_->Plan(seen);
  }
}

int Slice::Fetch(const Datum* values, int rows, const policy::SlicesSoFar& seen, Items* items) {
  Prepare(rows, seen);
  const double before = PagesTouched();
  const int found = query_->Run(seen, values, rows, items);
  // A page that was looked at counts as one that is read in its turn, the planner's unit.
  sorting_cost_ = query_->facts().has_other_way ? PagesTouched() - before : 0;
  return found;
}

}  // namespace ratchet::batch
