#include "deliver/sender.h"

#include <sysexits.h>

#include <csignal>

#include "journal/journal.h"
#include "text/span.h"

namespace client::deliver {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// How soon a new channel's secrets are looked for, and a new HTTP queue is known.
constexpr milliseconds kConfigEvery{10000};
constexpr milliseconds kOnceAtMost{120000};

int ExitStatusOf(const std::string& sqlstate) {
  // Insufficient privilege; a function or schema that is not there.
  return sqlstate == "42501"                                 ? EX_NOPERM
         : sqlstate.starts_with("42") || sqlstate == "3F000" ? EX_CONFIG
                                                             : EX_UNAVAILABLE;
}

}  // namespace

Sender::Sender(SenderOptions options)
    : options_(std::move(options)),
      secrets_(options_.secrets_folder),
      transfers_(outbound::AddressGuard(options_.allowed_hosts, options_.public_addresses),
                 options_.ca_file),
      report_session_(options_.connect, "reports"),
      reports_(report_session_),
      outbox_(options_, secrets_, transfers_, reports_) {
  outbox_.session().OnConnect([](PGconn* connection) {
    const char* superuser = PQparameterStatus(connection, "is_superuser");
    if (superuser != nullptr && std::string_view(superuser) == "on") {
      journal::Warning(
          "the sender is connected as a superuser: a role of its own with "
          "ratchet.grant_sender(role) is all that it needs",
          {{"role", PQuser(connection)}});
    }
  });
}

std::size_t Sender::OnTheirWay() const {
  std::size_t count = outbox_.on_their_way();
  for (const auto& [name, queue] : queues_) {
    count += queue->on_their_way();
  }
  for (const auto& queue : dropped_) {
    count += queue->on_their_way();
  }
  return count;
}

bool Sender::AllDone() const { return OnTheirWay() == 0 && reports_.empty(); }

bool Sender::Claiming() const {
  bool claiming = outbox_.session().busy();
  for (const auto& [name, queue] : queues_) {
    claiming = claiming || queue->session().busy();
  }
  return claiming;
}

bool Sender::NothingFound() const {
  bool nothing = outbox_.found_nothing() && has_config_;
  for (const auto& [name, queue] : queues_) {
    nothing = nothing && queue->found_nothing();
  }
  return nothing;
}

void Sender::TakeQueues(const json& queues) {
  std::map<std::string, std::unique_ptr<HttpQueue>> kept;
  for (const json& entry : queues) {
    if (!entry.is_object() || !entry.contains("queue_name") || !entry["queue_name"].is_string()) {
      continue;
    }
    HttpQueueConfig config;
    config.name = entry["queue_name"].get<std::string>();
    config.http = entry.value("http", json::object());
    if (const auto concurrency = entry.find("concurrency");
        concurrency != entry.end() && concurrency->is_number_integer()) {
      config.concurrency = concurrency->get<int>();
    }
    if (const auto lease = entry.find("lease_s"); lease != entry.end() && lease->is_number()) {
      config.lease =
          milliseconds(static_cast<long long>(std::max(1.0, lease->get<double>()) * 1000));
    }
    const std::string name = config.name;
    if (auto known = queues_.find(name); known != queues_.end()) {
      known->second->Change(std::move(config));
      kept[name] = std::move(known->second);
      queues_.erase(known);
    } else {
      journal::Info("an HTTP queue", {{"queue", name}});
      kept[name] =
          std::make_unique<HttpQueue>(options_, secrets_, transfers_, reports_, std::move(config));
    }
  }
  for (auto& [name, queue] : queues_) {
    queue->Stop();
    dropped_.push_back(std::move(queue));
  }
  queues_ = std::move(kept);
}

void Sender::TakeConfig(const json& config) {
  has_config_ = true;
  std::vector<std::string> missing;
  for (const std::string& name : secrets::NamesIn(config)) {
    if (!secrets_.Find(name).value) {
      missing.push_back(name);
    }
  }
  outbox_.SetMissingSecrets(missing);
  if (const auto queues = config.find("http_queues");
      queues != config.end() && queues->is_array()) {
    TakeQueues(*queues);
  }
}

void Sender::AskForConfig(Clock::time_point now) {
  if (now < next_config_ || stopping_ || !report_session_.connected()) {
    return;
  }
  next_config_ = now + kConfigEvery;
  reports_.Tell("SELECT ratchet.sender_config()", {}, [this](const postgres::Answer& answer) {
    if (!answer.ok) {
      journal::Error("the settings of channels cannot be read",
                     {{"sqlstate", answer.sqlstate}, {"error", answer.message}});
      return;
    }
    const json config = json::parse(postgres::FirstValue(answer), nullptr, false);
    if (config.is_object()) {
      TakeConfig(config);
    }
  });
}

milliseconds Sender::StepAll(Clock::time_point now) {
  milliseconds idle = outbox_.Step(now);
  AskForConfig(now);
  for (const auto& [name, queue] : queues_) {
    idle = std::min(idle, queue->Step(now));
  }
  for (const auto& queue : dropped_) {
    queue->Step(now);
  }
  std::erase_if(dropped_, [](const auto& queue) {
    return queue->on_their_way() == 0 && !queue->session().busy();
  });
  transfers_.Step();
  idle = std::min(idle, report_session_.Step(now));
  reports_.Step();
  // What was told to be said may be said at once; and what was answered may ask for more.
  return !reports_.empty() && report_session_.ready() ? milliseconds(0) : idle;
}

void Sender::Wait(process::Signals& signals, milliseconds at_most) {
  std::vector<curl_waitfd> descriptors;
  const auto add = [&](int descriptor) {
    if (descriptor >= 0) {
      descriptors.push_back({descriptor, CURL_WAIT_POLLIN, 0});
    }
  };
  add(signals.descriptor());
  add(outbox_.session().socket());
  add(report_session_.socket());
  for (const auto& [name, queue] : queues_) {
    add(queue->session().socket());
  }
  for (const auto& queue : dropped_) {
    add(queue->session().socket());
  }
  transfers_.Wait(descriptors, at_most);
}

void Sender::Stop(int signal) {
  stopping_ = true;
  stop_until_ = Clock::now() + options_.grace;
  journal::Info(
      "ending: what is on its way is let arrive",
      {{"signal", std::to_string(signal)}, {"on_their_way", std::to_string(OnTheirWay())}});
  outbox_.Stop();
  for (const auto& [name, queue] : queues_) {
    queue->Stop();
  }
}

int Sender::Run(process::Signals& signals) {
  journal::Info("the sender begins", {{"name", options_.name}});
  const Clock::time_point once_until = Clock::now() + kOnceAtMost;
  while (true) {
    const milliseconds idle = StepAll(Clock::now());
    if (options_.once && (!outbox_.refusal().empty() || Clock::now() > once_until)) {
      return ExitStatusOf(outbox_.refusal());
    }
    if (AllDone() && ((stopping_ && !Claiming()) || (options_.once && NothingFound()))) {
      return EX_OK;
    }
    if (stopping_ && Clock::now() >= stop_until_) {
      journal::Warning(
          "ending with what has not arrived: its leases end, and another sender takes it",
          {{"on_their_way", std::to_string(OnTheirWay())}});
      return EX_OK;
    }
    Wait(signals, idle);
    while (const int signal = signals.Take()) {
      if (stopping_) {
        return EX_OK;
      }
      Stop(signal);
    }
  }
}

}  // namespace client::deliver
