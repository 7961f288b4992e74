// The line in which ready work of one role waits for its turn.
#pragma once

#include <limits>
#include <set>

#include "policy/turn.h"

namespace ratchet::policy {

class TurnLine {
 public:
  // Work of jobs that failed is passed over so often at most.
  static constexpr int kMostPassed = 16;

  bool empty() const { return turns_.empty(); }
  void Insert(const Turn& turn) { turns_.insert(turn); }
  // Nothing happens when it is not in the line.
  void Erase(const Turn& turn) { turns_.erase(turn); }

  // Whose turn is next leaves the line, which is not empty. Jobs whose last run failed go after the
  // others. Where those never come to an end, as on a server that has more to do than it can, they
  // still have a turn now and then: after a crash of the server they are all that was under way.
  Turn Take() {
    const auto first = turns_.begin();
    const auto failing = turns_.lower_bound(kFirstFailing);
    const bool others_first = failing != turns_.end() && failing != first;
    const bool pass = others_first && ++passed_ <= kMostPassed;
    if (!pass) {
      passed_ = 0;
    }
    return turns_.extract(others_first && !pass ? failing : first).value();
  }

 private:
  static constexpr Turn kFirstFailing{
      true, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::min()};

  std::set<Turn> turns_;
  int passed_ = 0;  // so many others went before the first one that failed
};

}  // namespace ratchet::policy
