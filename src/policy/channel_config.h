// What the configuration of a channel, or of a queue of HTTP requests, may say: of each kind its
// keys, and what is refused because it cannot be, or because it has no business in a database:
// secrets are named, {"secret": "slack_ops"}, and live with the program that sends.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/channel_rate.h"
#include "policy/json_value.h"

namespace ratchet::policy {

struct ConfigFault {
  std::string message;
  std::string hint;  // empty: none
};

// "email", "slack", …; of a queue of requests it is kHttpQueue.
inline constexpr char kHttpQueue[] = "http";
bool IsChannelKind(std::string_view kind);
// "email, slack, …"
std::string ChannelKinds();

// nullopt: it may be used.
std::optional<ConfigFault> FindConfigFault(std::string_view kind, const JsonValue& config);

// The names of the secrets that it refers to, each once.
std::vector<std::string> SecretsIn(const JsonValue& config);

// What the configuration says, or what is known of such services.
ChannelRate RateOf(std::string_view kind, const JsonValue& config);

}  // namespace ratchet::policy
