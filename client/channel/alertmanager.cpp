#include <set>

#include "channel/account.h"
#include "channel/config.h"
#include "channel/kinds.h"
#include "channel/mail_body.h"
#include "text/plain.h"
#include "text/span.h"

namespace client::channel {

namespace {

using nlohmann::ordered_json;

// Alertmanager takes an alert for resolved five minutes after it was last told of it, if no end is
// given. We tell it once, and again with a reminder; so it gets an end far behind any of these, and
// the real one when it is resolved.
constexpr std::chrono::hours kUntilForgotten{24 * 30};
constexpr std::size_t kLongestAnnotation = 4000;

bool IsLabelName(const std::string& name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  return !name.empty() && kLetters.find(name.front()) != std::string_view::npos &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
             std::string::npos;
}

void SetLabel(ordered_json& labels, const char* name, const std::string& value) {
  if (!value.empty()) {
    labels[name] = value;
  }
}

// What an alert is recognized by: the same when it is resolved. So the event is none of them: a job
// that had failed may be late by now.
ordered_json Labels(const Delivery& delivery, const Incident* incident) {
  const Notice& notice = delivery.notice;
  ordered_json labels;
  for (const auto& [name, value] : OptionalPairs(delivery.config, "labels")) {
    if (!IsLabelName(name)) {
      throw BadConfig("setting \"labels\" of the channel has a name that is none of a label");
    }
    labels[name] = value;
  }
  labels["alertname"] = notice.alert.empty() ? "pg_ratchet" : notice.alert;
  SetLabel(labels, "severity", notice.severity);
  SetLabel(labels, "database", notice.database);
  SetLabel(labels, "cluster", notice.cluster);
  SetLabel(labels, "environment", notice.environment);
  if (incident != nullptr) {
    SetLabel(labels, "job", incident->job);
    SetLabel(labels, "queue", incident->queue);
  }
  return labels;
}

ordered_json Alert(const Delivery& delivery, const Incident* incident) {
  const Notice& notice = delivery.notice;
  ordered_json alert;
  alert["labels"] = Labels(delivery, incident);
  alert["annotations"]["summary"] = notice.Title();
  if (incident != nullptr) {
    SetLabel(alert["annotations"], "event", incident->event);
    SetLabel(alert["annotations"], "error", text::Shortened(incident->error, kLongestAnnotation));
  } else {
    SetLabel(alert["annotations"], "description", text::Shortened(notice.body, kLongestAnnotation));
  }
  if (!notice.opened_at.empty()) {
    alert["startsAt"] = notice.opened_at;
  }
  if (notice.is_resolved()) {
    alert["endsAt"] = notice.resolved_at.empty() ? text::IsoTime(delivery.now) : notice.resolved_at;
  } else if (notice.is_incident()) {
    alert["endsAt"] = text::IsoTime(delivery.now + kUntilForgotten);
  }
  // Of what is no incident (a test, a message) Alertmanager forgets by itself.
  return alert;
}

}  // namespace

outbound::Request RenderAlertmanager(const Delivery& delivery) {
  ordered_json alerts = ordered_json::array();
  std::set<std::string> known;
  for (const Incident& incident : delivery.notice.incidents) {
    ordered_json alert = Alert(delivery, &incident);
    // Two events of one job are one alert.
    if (known.insert(alert["labels"].dump()).second) {
      alerts.push_back(std::move(alert));
    }
  }
  if (alerts.empty()) {
    alerts.push_back(Alert(delivery, nullptr));
  }
  outbound::HttpRequest request = JsonRequest(delivery.config, alerts);
  constexpr std::string_view kPath = "/api/v2/alerts";
  while (request.url.ends_with('/')) {
    request.url.pop_back();
  }
  if (!request.url.ends_with(kPath)) {
    request.url += kPath;
  }
  return request;
}

}  // namespace client::channel
