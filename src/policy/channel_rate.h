// How often, and for how long: as people write it in a configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ratchet::policy {

// So many deliveries within a time; none: as many as there are.
struct ChannelRate {
  std::int32_t count = 0;
  std::int64_t period = 0;  // microseconds

  explicit operator bool() const { return count > 0; }
};
// "30 per minute", "1 per second", "100 per 5 minutes". nullopt for anything else.
std::optional<ChannelRate> ParseRate(std::string_view text);
// "10 s", "500 ms", "2 minutes": microseconds. nullopt for anything else, and for nothing.
std::optional<std::int64_t> ParseSpan(std::string_view text);

}  // namespace ratchet::policy
