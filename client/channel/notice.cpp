#include "channel/notice.h"

#include "text/plain.h"

namespace client::channel {

namespace {

using nlohmann::json;

constexpr std::size_t kMostIncidents = 100;
constexpr std::size_t kLongestTitle = 400;

std::string Text(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    return {};
  }
  return found->is_string() ? text::ValidUtf8(found->get<std::string>()) : found->dump();
}

std::optional<double> Number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? std::optional<double>(found->get<double>())
                                                     : std::nullopt;
}

int Count(const json& object, const char* name) {
  return static_cast<int>(Number(object, name).value_or(0));
}

Incident ParseIncident(const json& from) {
  Incident incident;
  incident.event = Text(from, "event");
  incident.job = text::OneLine(Text(from, "job"));
  incident.queue = text::OneLine(Text(from, "queue"));
  incident.run_id = Text(from, "run_id");
  incident.scheduled_at = Text(from, "scheduled_at");
  incident.started_at = Text(from, "started_at");
  incident.ended_at = Text(from, "ended_at");
  incident.time_zone = Text(from, "time_zone");
  incident.status = Text(from, "status");
  incident.sqlstate = Text(from, "sqlstate");
  incident.error = text::Lines(Text(from, "error"));
  incident.context = text::Lines(Text(from, "context"));
  incident.failures_in_a_row = Count(from, "failures_in_a_row");
  incident.rows = Text(from, "rows");
  incident.next_run_at = Text(from, "next_run_at");
  incident.owner = Text(from, "owner");
  incident.inspect = text::Lines(Text(from, "inspect"));
  incident.replay = text::Lines(Text(from, "replay"));
  return incident;
}

}  // namespace

std::string Incident::Subject() const {
  if (!job.empty()) {
    return "job " + job;
  }
  return queue.empty() ? event : "queue " + queue;
}

std::string Notice::Title() const {
  std::string title = text::OneLine(subject);
  if (title.find_first_not_of(' ') == std::string::npos) {
    title = is_heartbeat() ? "job " + job + ": " + notice : alert + ": " + notice;
  }
  return text::Shortened(title, kLongestTitle);
}

std::string Notice::Origin() const {
  const std::string place = cluster.empty() ? database : cluster + "/" + database;
  return environment.empty() ? place : environment + " " + place;
}

Notice ParseNotice(const json& from) {
  Notice notice;
  if (!from.is_object()) {
    return notice;
  }
  notice.type = Text(from, "type");
  notice.notice = Text(from, "notice");
  notice.episode = Text(from, "episode");
  notice.number = Count(from, "number");
  notice.alert = text::OneLine(Text(from, "alert"));
  notice.severity = Text(from, "severity");
  notice.database = text::OneLine(Text(from, "database"));
  notice.cluster = text::OneLine(Text(from, "cluster"));
  notice.environment = text::OneLine(Text(from, "environment"));
  notice.opened_at = Text(from, "opened_at");
  notice.resolved_at = Text(from, "resolved_at");
  notice.duration_s = Number(from, "duration_s");
  notice.more = Count(from, "more");
  notice.subject = Text(from, "subject");
  notice.body = text::Lines(Text(from, "body"));
  notice.details = from.value("details", json());
  notice.job = text::OneLine(Text(from, "job"));
  notice.rid = Text(from, "rid");
  if (const auto code = Number(from, "exit_code")) {
    notice.exit_code = static_cast<int>(*code);
  }
  if (const auto incidents = from.find("incidents");
      incidents != from.end() && incidents->is_array()) {
    for (const json& incident : *incidents) {
      if (notice.incidents.size() == kMostIncidents) {
        notice.more++;
      } else if (incident.is_object()) {
        notice.incidents.push_back(ParseIncident(incident));
      }
    }
  }
  return notice;
}

}  // namespace client::channel
