#include "batch/walk_progress.h"

#include <algorithm>
#include <cmath>

#include "board/run_board.h"
#include "pg/clock.h"

namespace ratchet::batch {
namespace {

constexpr std::int64_t kRefreshEvery = 5'000'000;  // microseconds

}  // namespace

void WalkProgress::Begin(Supply& supply, const std::string& at, std::int64_t earlier) {
  earlier_ = earlier;
  at_first_ = at_last_ = supply.Estimate(at);
  last_ = pg::AwakeNow();
}

void WalkProgress::Refresh(Supply& supply, const std::string& at, std::int64_t handled,
                           policy::AwakeTime now) {
  if (now - last_ < kRefreshEvery) {
    return;
  }
  const double rest = supply.Estimate(at);
  const double expected = at_first_ - rest;  // what the walk should have met, says the planner
  const double correction =
      expected > 1 && handled > 0 ? static_cast<double>(handled) / expected : 1;
  at_last_ = rest * std::clamp(correction, 0.01, 100.0);
  handled_at_last_ = handled;
  last_ = now;
}

void WalkProgress::Show(const board::RunCounters& committed, bool complete) {
  const std::int64_t handled = committed.items_done + committed.items_failed;
  const double rest = at_last_ - static_cast<double>(handled - handled_at_last_);
  // As long as there are more, there is at least one.
  const std::int64_t remaining = complete ? 0 : std::max<std::int64_t>(1, std::llround(rest));
  board::SetCommitted(slot_, committed, earlier_ + committed.items_done, remaining);
}

}  // namespace ratchet::batch
