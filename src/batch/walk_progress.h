// How far a walk is, for ratchet.running. The planner says how many items there are; while the walk
// goes on, what it has found corrects him.
#pragma once

#include <cstdint>
#include <string>

#include "batch/supply.h"
#include "board/board.h"

namespace ratchet::batch {

class WalkProgress {
 public:
  explicit WalkProgress(int slot) : slot_(slot) {}

  // In a transaction, at the beginning. `earlier`: items that earlier runs of the walk have done.
  void Begin(Supply& supply, const std::string& at, std::int64_t earlier);
  // In the transaction of a batch: asks the planner again, now and then.
  void Refresh(Supply& supply, const std::string& at, std::int64_t handled, policy::AwakeTime now);
  std::int64_t earlier() const { return earlier_; }
  // After a commit. `handled`: items that the run has done or that failed.
  void Show(const board::RunCounters& committed, bool complete);

 private:
  int slot_;
  std::int64_t earlier_ = 0;
  double at_first_ = 0;  // the planner's estimate at the beginning
  double at_last_ = 0;   // the corrected one
  std::int64_t handled_at_last_ = 0;
  policy::AwakeTime last_{};
};

}  // namespace ratchet::batch
