// A queue whose tasks are requests: claimed as any consumer does, with a connection of its own, so
// that a slow receiver delays nobody but its own queue.
#pragma once

#include <chrono>
#include <string>

#include "deliver/leases.h"
#include "deliver/outbox.h"

namespace client::deliver {

struct HttpQueueConfig {
  std::string name;
  nlohmann::json http;
  int concurrency = 8;
  std::chrono::milliseconds lease{60000};
};

class HttpQueue {
 public:
  HttpQueue(const SenderOptions& options, const secrets::Secrets& secrets,
            outbound::Transfers& transfers, Reports& reports, HttpQueueConfig config);

  void Change(HttpQueueConfig config) { config_ = std::move(config); }
  std::chrono::milliseconds Step(postgres::Session::Clock::time_point now);
  void Stop();

  postgres::Session& session() { return session_; }
  const postgres::Session& session() const { return session_; }
  std::size_t on_their_way() const { return leases_.size(); }
  bool found_nothing() const { return found_nothing_; }

 private:
  void Take(const postgres::Answer& answer);
  void Send(const std::vector<postgres::Value>& row);
  void End(const Lease& lease, const channel::Verdict& verdict, const std::string& result);

  const SenderOptions& options_;
  const secrets::Secrets& secrets_;
  outbound::Transfers& transfers_;
  Reports& reports_;
  HttpQueueConfig config_;
  postgres::Session session_;
  Leases leases_;
  postgres::Session::Clock::time_point next_claim_{};
  bool stopping_ = false;
  bool found_nothing_ = false;
};

}  // namespace client::deliver
