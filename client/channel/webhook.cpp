#include <array>

#include "channel/config.h"
#include "channel/kinds.h"
#include "channel/signature.h"
#include "text/plain.h"
#include "text/span.h"

namespace client::channel {

namespace {

// Ours, or about the connection: a header of the settings must not take their place.
bool IsReserved(const std::string& name) {
  constexpr std::array<std::string_view, 9> kReserved = {
      "webhook-id",     "webhook-timestamp", "webhook-signature", "content-type",
      "content-length", "transfer-encoding", "connection",        "host",
      "expect"};
  const std::string lower = text::Lower(name);
  for (const std::string_view reserved : kReserved) {
    if (lower == reserved) {
      return true;
    }
  }
  return false;
}

}  // namespace

outbound::Request RenderWebhook(const Delivery& delivery) {
  const nlohmann::json& config = delivery.config;
  nlohmann::ordered_json body;
  body["type"] = "ratchet." + (delivery.notice.type.empty() ? "message" : delivery.notice.type) +
                 (delivery.notice.notice.empty() ? "" : "." + delivery.notice.notice);
  body["timestamp"] = text::IsoTime(delivery.created_at);
  body["data"] = delivery.message;
  outbound::HttpRequest request = JsonRequest(config, body);
  const long long now = std::chrono::system_clock::to_time_t(delivery.now);
  request.headers.emplace_back("webhook-id", delivery.message_id);
  request.headers.emplace_back("webhook-timestamp", std::to_string(now));
  if (config.contains("secret") && !config["secret"].is_null()) {
    request.headers.emplace_back(
        "webhook-signature",
        Signature(RequiredTexts(config, "secret"), delivery.message_id, now, request.body));
  }
  for (auto& [name, value] : OptionalPairs(config, "headers")) {
    if (IsReserved(name)) {
      throw BadConfig("the header " + text::OneLine(name) +
                      " is not for the settings of a channel");
    }
    request.headers.emplace_back(name, value);
  }
  return request;
}

}  // namespace client::channel
