#include "policy/span_words.h"

namespace ratchet::policy {
namespace {

struct Unit {
  std::int64_t microseconds;
  std::int64_t below;  // of these units: from so many on the next larger unit is used
  const char* name;
};

constexpr std::int64_t kSecond = 1'000'000;
constexpr Unit kUnits[] = {
    {1'000, 1'000, "ms"},           {kSecond, 100, "s"},
    {60 * kSecond, 100, "m"},       {3'600 * kSecond, 48, "h"},
    {86'400 * kSecond, 1'000, "d"},
};
constexpr std::int64_t kYear = 31'557'600 * kSecond;

std::string Words(std::uint64_t microseconds) {
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<std::uint64_t>(unit.microseconds);
    const std::uint64_t whole = microseconds / size;
    if (whole >= static_cast<std::uint64_t>(unit.below)) {
      continue;
    }
    std::string words = std::to_string(whole);
    // Two digits of what is measured in milliseconds and seconds.
    const std::uint64_t tenth = microseconds % size * 10 / size;
    if (whole < 10 && unit.microseconds <= kSecond && (whole > 0 || unit.microseconds < kSecond) &&
        tenth > 0) {
      words += '.' + std::to_string(tenth);
    }
    return words + unit.name;
  }
  return std::to_string(microseconds / static_cast<std::uint64_t>(kYear)) + "y";
}

}  // namespace

std::string SpanWords(std::int64_t microseconds) {
  if (microseconds < 0) {
    return '-' + Words(0 - static_cast<std::uint64_t>(microseconds));
  }
  return Words(static_cast<std::uint64_t>(microseconds));
}

}  // namespace ratchet::policy
