// Deliveries for tests of what channels make of them.
#pragma once

#include <nlohmann/json.hpp>

#include "channel/kind.h"

namespace deliveries {

inline nlohmann::json Message() {
  return nlohmann::json::parse(R"json({"type": "incident", "notice": "opened",
    "episode": "6f1c1f0e-0000-4000-8000-000000000001", "number": 1, "alert": "night work", "severity": "error",
    "database": "shop", "cluster": "main", "environment": "production",
    "opened_at": "2026-12-01T02:00:00Z", "resolved_at": null, "duration_s": null,
    "incidents": [{"event": "failed", "job": "nightly <b>&co", "queue": null, "run_id": 4711,
      "scheduled_at": "2026-12-01T02:00:00Z", "started_at": "2026-12-01T02:00:01Z", "ended_at": "2026-12-01T02:00:03Z",
      "time_zone": "Europe/Paris", "status": "failed", "sqlstate": "22012", "error": "division by zero\nsecond line",
      "context": "SQL statement \"SELECT 1/0\"", "failures_in_a_row": 3, "rows": 0, "next_run_at": "2026-12-02T02:00:00Z",
      "owner": "shop_owner", "inspect": "SELECT * FROM ratchet.runs WHERE run_id = 4711",
      "replay": "SELECT ratchet.replay(4711)"}],
    "more": 0, "subject": "[production] job nightly failed (3 in a row)", "body": "", "details": {}
})json");
}

inline client::channel::Delivery MakeDelivery(nlohmann::json config,
                                              nlohmann::json message = Message()) {
  client::channel::Delivery delivery;
  delivery.message_id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  delivery.channel_name = "ops";
  delivery.config = std::move(config);
  delivery.notice = client::channel::ParseNotice(message);
  delivery.message = std::move(message);
  delivery.created_at = std::chrono::system_clock::from_time_t(1796090400);  // 2026-12-01 02:00 UTC
  delivery.now = delivery.created_at + std::chrono::seconds(10);
  return delivery;
}

inline client::outbound::Request Render(const char* kind,
                                        const client::channel::Delivery& delivery) {
  return client::channel::FindKind(kind)->render(delivery);
}

inline client::outbound::HttpRequest RenderHttp(const char* kind,
                                                const client::channel::Delivery& delivery) {
  return std::get<client::outbound::HttpRequest>(Render(kind, delivery));
}

inline client::outbound::Response Answer(int code, std::string body = {}) {
  client::outbound::Response response;
  response.end = client::outbound::End::kAnswered;
  response.code = code;
  response.body = std::move(body);
  return response;
}

inline client::channel::Verdict Judge(const char* kind,
                                      const client::outbound::Response& response) {
  return client::channel::FindKind(kind)->judge(response,
                                                std::chrono::system_clock::from_time_t(1796090400));
}

inline std::string Header(const client::outbound::HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

}  // namespace deliveries
