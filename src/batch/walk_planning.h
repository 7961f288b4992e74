// How the slices of a walk are planned.
//
// The planner thinks of one query, not of the hundreds that a walk is made of. While an object of
// this class exists, one statement of ours is planned as part of a walk:
//
//   * Rows that an index has in the order of the key are not sorted, unless that is cheaper for
//     the walk as a whole (policy/slice_order.h).
//   * A foreign table in whose order we walk is taken for a large one, so that its server is asked
//     for a slice and not for all of it, and has the limit sent.
//   * What bounds a column bounds those that a join makes equal to it (batch/shared_bounds.h).
//
// No setting is changed, so that there is none that functions could see or leave behind in plans of
// their own: what they plan meanwhile is planned as ever.
#pragma once

#include "pg/server.h"
#include "policy/slice_order.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace ratchet::batch {

class WalkPlanning {
 public:
  // The statement by its text, which outlives the object, whoever has it planned.
  WalkPlanning(const char* text, const policy::SlicesSoFar& seen);
  WalkPlanning(const WalkPlanning&) = delete;
  WalkPlanning& operator=(const WalkPlanning&) = delete;
  ~WalkPlanning();

  bool has_planned() const { return has_planned_; }
  // Of the last plan. It sorts, although `ordered` would have been possible.
  bool has_other_way() const { return has_other_way_; }
  const policy::WayCost& ordered() const { return ordered_; }
  double sorted_cost() const { return sorted_cost_; }
  // The key's columns are those of several tables.
  bool spans_tables() const { return spans_tables_; }

  // For the planner's hooks. What an extension plans in place of ours may have no text.
  static WalkPlanning* current();
  bool Plans(const char* text) const { return text != nullptr && strcmp(text, text_) == 0; }
  void Choose(PlannerInfo* root, RelOptInfo* ordered);

 private:
  const char* text_;
  policy::SlicesSoFar seen_;
  WalkPlanning* outer_;
  bool has_planned_ = false;
  bool has_other_way_ = false;
  bool spans_tables_ = false;
  policy::WayCost ordered_;
  double sorted_cost_ = 0;
};

// Seen of a walk that shall not sort if there is any other way.
policy::SlicesSoFar SortsOnlyIfItMust();

}  // namespace ratchet::batch
