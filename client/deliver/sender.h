// ratchet send: one loop around connections, requests and signals.
#pragma once

#include <map>
#include <memory>

#include "deliver/http_queue.h"
#include "deliver/outbox.h"
#include "process/signals.h"

namespace client::deliver {

class Sender {
 public:
  // Throws std::invalid_argument when an allowed host is none.
  explicit Sender(SenderOptions options);

  // Until SIGTERM or SIGINT; returns the exit status.
  int Run(process::Signals& signals);

 private:
  using Clock = postgres::Session::Clock;

  void Wait(process::Signals& signals, std::chrono::milliseconds at_most);
  std::chrono::milliseconds StepAll(Clock::time_point now);
  void AskForConfig(Clock::time_point now);
  void TakeConfig(const nlohmann::json& config);
  void TakeQueues(const nlohmann::json& queues);
  void Stop(int signal);
  bool AllDone() const;
  bool Claiming() const;
  bool NothingFound() const;
  std::size_t OnTheirWay() const;

  SenderOptions options_;
  secrets::Secrets secrets_;
  outbound::Transfers transfers_;
  postgres::Session report_session_;
  Reports reports_;
  Outbox outbox_;
  std::map<std::string, std::unique_ptr<HttpQueue>> queues_;
  std::vector<std::unique_ptr<HttpQueue>> dropped_;  // until nothing of them is on its way
  Clock::time_point next_config_{};
  bool has_config_ = false;
  bool stopping_ = false;
  Clock::time_point stop_until_{};
};

}  // namespace client::deliver
