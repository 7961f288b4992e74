#include "policy/retry_class.h"

#include <algorithm>
#include <array>

namespace ratchet::policy {
namespace {

struct RetryDecision {
  std::string_view prefix;  // of the SQLSTATE
  RetryClass retry_class;
};

constexpr std::array kDecisions = {
    RetryDecision{"40001", RetryClass::kSoon},  // serialization failure
    RetryDecision{"40P01", RetryClass::kSoon},  // deadlock
    RetryDecision{"55P03", RetryClass::kSoon},  // lock not available
    RetryDecision{"08", RetryClass::kSoon},     // connection, of a foreign server for one
    RetryDecision{"53", RetryClass::kSoon},     // out of memory, disk, connections
    RetryDecision{"57P0", RetryClass::kSoon},   // shutdown, terminated, cannot connect now
    RetryDecision{"42", RetryClass::kNever},    // syntax, names, types, privileges
};

}  // namespace

RetryClass RetryClassOf(std::string_view sqlstate) {
  const auto* found = std::find_if(kDecisions.begin(), kDecisions.end(), [&](const auto& decision) {
    return sqlstate.substr(0, decision.prefix.size()) == decision.prefix;
  });
  return found != kDecisions.end() ? found->retry_class : RetryClass::kBackOff;
}

std::int64_t SoonDelay(int attempt, double unit) {
  constexpr std::int64_t kFirst = 1'000'000;
  constexpr std::int64_t kLongest = 30'000'000;
  const std::int64_t delay = std::min(kFirst << std::clamp(attempt - 1, 0, 5), kLongest);
  return delay + static_cast<std::int64_t>(static_cast<double>(delay) * (unit - 0.5) / 2);
}

}  // namespace ratchet::policy
