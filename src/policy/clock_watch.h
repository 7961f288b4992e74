// Has the wall clock been set?
#pragma once

#include <cstdint>

#include "policy/steady_time.h"

namespace ratchet::policy {

// By more than this (microseconds) a clock is set, and not just kept in time.
constexpr std::int64_t kLeastJump = 1'000'000;
// For so long, history is not purged by what a clock says that has been set forward.
constexpr std::int64_t kDoubtLasts = 86'400'000'000;

// `then`, of which both clocks were read, as the wall clock counts at `now`: nothing that happened
// lies in the future, and between two events lies what has passed between them.
calendar::Instant OnClockOf(const Moment& now, const Moment& then);

// What a database's schedulers know of the wall clock, one after the other. Trivial, and all zero
// at first: it lies in shared memory.
struct ClockWatch {
  std::int64_t offset;   // of the wall clock from the steady one; follows one that is slewed
  SteadyTime looked_at;  // not set: has not looked
  std::int64_t ahead;    // by so much the clock may be wrong; negative: it was set back
  SteadyTime doubted_at;

  bool HasLooked() const { return looked_at.IsSet(); }
  // By how much the clock was set since the last look: forward if positive; 0: it was not.
  std::int64_t Look(const Moment& now);
  // Nobody has looked for a time, at the beginning of which the clock said `last_known`.
  void DoubtSince(calendar::Instant last_known, const Moment& now);
  // A time until which what is old is old for certain.
  calendar::Instant Believed(const Moment& now) const;

 private:
  std::int64_t AheadAt(SteadyTime now) const;
};

}  // namespace ratchet::policy
