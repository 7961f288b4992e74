#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "calendar/civil.h"
#include "calendar/instant.h"

namespace ratchet::calendar {

// Going back from a time in whole steps. From the first to the last time there is more than a
// signed number holds, so lengths are unsigned.

// from <= to
constexpr std::uint64_t Distance(std::int64_t from, std::int64_t to) {
  return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

// At most as much as lies between kMinInstant and the time, or a day more.
constexpr std::int64_t Before(std::int64_t time, std::uint64_t length) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(time) - length);
}

// How often a step goes into the time between kMinInstant, some days later, and a reading.
constexpr std::uint64_t StepsSinceMin(Local local, std::int64_t days, std::uint64_t step) {
  const Local begin = kMinInstant + days * kDay;
  return local > begin ? Distance(begin, local) / step : 0;
}

// The shortest length that is both a number of 400 Gregorian years, after which the calendar is the
// same, and of steps of so many months. Beyond 800 times as much there is no instant.
constexpr std::uint64_t WholeEras(std::int64_t months) {
  constexpr std::int64_t kEraMonths = 4800;
  constexpr std::int64_t kEraDays = 146097;
  const std::int64_t eras = std::lcm(kEraMonths, months) / kEraMonths;
  return static_cast<std::uint64_t>(std::clamp(eras, std::int64_t{1}, std::int64_t{800})) *
         static_cast<std::uint64_t>(kEraDays * kDay);
}

}  // namespace ratchet::calendar
