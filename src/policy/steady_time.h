// Time by clocks that nobody sets. What is a span (a time-out, a pause, how long something took) is
// measured by these, and never by the wall clock, which is for the calendar alone.
#pragma once

#include <compare>
#include <cstdint>

#include "calendar/instant.h"

namespace ratchet::policy {

// Microseconds since the machine was started; 0: none. Trivial: it lies in shared memory, and means
// the same to all processes.
template <typename Clock>
struct ClockTime {
  std::int64_t micros;

  constexpr bool IsSet() const { return micros != 0; }
  friend constexpr auto operator<=>(ClockTime, ClockTime) = default;
  friend constexpr ClockTime operator+(ClockTime time, std::int64_t span) {
    return {time.micros + span};
  }
  friend constexpr ClockTime operator-(ClockTime time, std::int64_t span) {
    return {time.micros - span};
  }
  friend constexpr std::int64_t operator-(ClockTime a, ClockTime b) { return a.micros - b.micros; }
};

// Goes on while the machine sleeps: for what others wait for.
using SteadyTime = ClockTime<struct WithSleep>;
// Stands still while the machine sleeps: for what a run may take. One that has slept has not
// worked, and is not to be ended when the machine wakes up.
using AwakeTime = ClockTime<struct WithoutSleep>;

constexpr SteadyTime kNoSteadyTime{0};
constexpr SteadyTime kNeverSteady{INT64_MAX};

// What the clocks say at one moment.
struct Moment {
  calendar::Instant wall;
  SteadyTime steady;
};

}  // namespace ratchet::policy
