// What is to be told, as the server has written it into a delivery.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace client::channel {

struct Incident {
  std::string event;  // failed, crashed, late, ...
  std::string job;    // of a queue's incident empty
  std::string queue;
  std::string run_id;
  std::string scheduled_at, started_at, ended_at, time_zone;
  std::string status, sqlstate, error, context;
  int failures_in_a_row = 0;
  std::string rows, next_run_at, owner, inspect, replay;

  // "job nightly", "queue mails"; without either what is left: the event.
  std::string Subject() const;
};

struct Notice {
  std::string type;    // incident, heartbeat; test and send have no incidents
  std::string notice;  // opened, reminder, resolved, flapping, test, send; of a heartbeat start,
                       // success, failure
  std::string episode;
  int number = 0;
  std::string alert, severity, database, cluster, environment;
  std::string opened_at, resolved_at;
  std::optional<double> duration_s;
  std::vector<Incident> incidents;
  int more = 0;
  std::string subject, body;
  nlohmann::json details;
  // Of a heartbeat.
  std::string job, rid;
  std::optional<int> exit_code;

  bool is_resolved() const { return notice == "resolved"; }
  bool is_incident() const { return type == "incident" && notice != "test" && notice != "send"; }
  bool is_heartbeat() const { return type == "heartbeat"; }

  // One line, without what would break it.
  std::string Title() const;
  // "production", "cluster/database": where it comes from.
  std::string Origin() const;
};

// Fields that are not there are empty, those that we do not know are left out: the server may be
// newer or older.
Notice ParseNotice(const nlohmann::json& message);

struct Delivery {
  std::string message_id;  // the same for each attempt
  std::string channel_name;
  nlohmann::json config;  // with the secrets' values
  Notice notice;
  nlohmann::json message;  // as it was written
  std::chrono::system_clock::time_point created_at;
  std::chrono::system_clock::time_point now;
};

}  // namespace client::channel
