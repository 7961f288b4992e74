#include "channel/account.h"
#include "channel/config.h"
#include "channel/kinds.h"
#include "channel/mail_body.h"
#include "text/plain.h"

namespace client::channel {

namespace {

// Of the documentation of Events API v2.
constexpr std::size_t kLongestSummary = 1024;
constexpr std::size_t kLongestKey = 255;
constexpr std::size_t kMostDetails = 100000;  // the whole event may have 512 kB
constexpr const char* kUrl = "https://events.pagerduty.com/v2/enqueue";

std::string Severity(const Notice& notice) {
  const std::string& severity = notice.severity;
  if (severity == "critical" || severity == "error" || severity == "warning" ||
      severity == "info") {
    return severity;
  }
  return notice.notice == "test" ? "info" : "error";
}

nlohmann::ordered_json Payload(const Notice& notice) {
  nlohmann::ordered_json payload;
  payload["summary"] = text::Shortened(notice.Title(), kLongestSummary);
  const std::string origin = notice.Origin();
  payload["source"] = origin.empty() ? "pg_ratchet" : origin;
  payload["severity"] = Severity(notice);
  if (!notice.opened_at.empty()) {
    payload["timestamp"] = notice.opened_at;
  }
  if (!notice.incidents.empty()) {
    payload["component"] = notice.incidents.front().Subject();
    payload["class"] = notice.incidents.front().event;
  }
  if (!notice.alert.empty()) {
    payload["group"] = notice.alert;
  }
  payload["custom_details"]["text"] =
      text::Shortened(PlainText(notice.Title(), AccountOf(notice)), kMostDetails);
  return payload;
}

}  // namespace

outbound::Request RenderPagerDuty(const Delivery& delivery) {
  const Notice& notice = delivery.notice;
  nlohmann::ordered_json body;
  body["routing_key"] = RequiredText(delivery.config, "routing_key");
  body["event_action"] = notice.is_resolved() ? "resolve" : "trigger";
  // One incident there for each episode here; what belongs to none is an incident of its own.
  const bool of_episode = notice.is_incident() && !notice.episode.empty();
  body["dedup_key"] =
      text::Shortened(of_episode ? notice.episode : delivery.message_id, kLongestKey);
  body["client"] = "pg_ratchet";
  body["payload"] = Payload(notice);
  nlohmann::json config = delivery.config;
  config["url"] = OptionalText(delivery.config, "url", kUrl);
  return JsonRequest(config, body);
}

}  // namespace client::channel
