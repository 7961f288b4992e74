// Which numbers of runs, jobs and the like follow each other. Sequences can be set by who may write
// them, and rows can be written by hand: neither is to use up the numbers that there are.
#pragma once

#include <cstdint>

namespace ratchet::policy {

// More than a server gives in thirty years, at a thousand a second.
constexpr std::int64_t kLargestGap = std::int64_t{1} << 40;

// A row with a greater one does not count: half of all numbers is left for those that follow.
constexpr std::int64_t kGreatestNumber = std::int64_t{1} << 62;

// Numbers up to `highest`, which is not negative, are in use.
constexpr bool IsNextNumber(std::int64_t number, std::int64_t highest) {
  return number > highest && number - highest <= kLargestGap;
}

}  // namespace ratchet::policy
