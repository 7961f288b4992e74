// At most so many starts in any span of a length, wherever it begins.
#pragma once

#include <cstdint>
#include <deque>

#include "policy/steady_time.h"

namespace ratchet::policy {

struct Rate {
  std::int64_t starts = 0;  // 0: no limit
  std::int64_t period = 0;  // microseconds

  friend bool operator==(const Rate&, const Rate&) = default;
};

// What is handed out starts somewhat later, and may start at any time until somebody says that it
// has: so long it counts, and for a period from then on. So the limit holds for the starts
// themselves, however long they were on their way. Times are told in their order.
class RateWindow {
 public:
  void Open() { open_++; }
  // One of those that were handed out has started, at some time until now.
  void Started(const Rate& rate, SteadyTime now);
  // One of them never will.
  void Dropped() { open_--; }

  // How many may be handed out.
  std::int64_t Room(const Rate& rate, SteadyTime now);
  // When there is room if nobody says anything; kNeverSteady: somebody has to.
  SteadyTime NextRoom(const Rate& rate, SteadyTime now);
  // When nothing counts any more if nobody says anything; kNoSteadyTime: nothing does.
  SteadyTime IdleFrom(const Rate& rate, SteadyTime now);

 private:
  // More of them are kept no apart, but as one at the time of the last: what that costs is a
  // thousandth of the period.
  static constexpr std::size_t kMostEntries = 1000;

  struct Entry {
    SteadyTime first;
    SteadyTime last;
    std::int64_t starts;
  };

  void Forget(const Rate& rate, SteadyTime now);

  std::int64_t open_ = 0;
  std::int64_t started_ = 0;  // sum of the entries
  std::deque<Entry> entries_;
};

}  // namespace ratchet::policy
