// Deliveries: claimed from the database, sent, and told what became of them.
#pragma once

#include <chrono>
#include <string>

#include "deliver/leases.h"
#include "deliver/outgoing.h"
#include "deliver/reports.h"
#include "outbound/transfers.h"
#include "postgres/session.h"

namespace client::deliver {

struct SenderOptions {
  postgres::ConnectOptions connect;
  std::string name;  // of this sender, for people
  std::string secrets_folder;
  std::vector<std::string> allowed_hosts;
  bool public_addresses = true;
  std::string ca_file;
  int at_once = 32;  // deliveries; of each HTTP queue what the queue says
  std::chrono::milliseconds lease{60000};
  std::chrono::milliseconds grace{30000};
  bool once = false;  // send what is there, and end
};

class Outbox {
 public:
  Outbox(const SenderOptions& options, const secrets::Secrets& secrets,
         outbound::Transfers& transfers, Reports& reports);

  // Claims when there is room for more; sends what was claimed.
  std::chrono::milliseconds Step(postgres::Session::Clock::time_point now);

  // Nothing new from now on.
  void Stop();

  // Which secrets this sender has not, for the server to show.
  void SetMissingSecrets(std::vector<std::string> names) { missing_secrets_ = std::move(names); }

  postgres::Session& session() { return session_; }
  const postgres::Session& session() const { return session_; }
  std::size_t on_their_way() const { return leases_.size(); }
  bool found_nothing() const { return found_nothing_; }
  // Of the last claim, when it could not be made for a reason that time does not mend: its
  // SQLSTATE.
  const std::string& refusal() const { return refusal_; }

 private:
  void Claim();
  void Take(const postgres::Answer& answer);
  void Send(const std::vector<postgres::Value>& row);

  const SenderOptions& options_;
  const secrets::Secrets& secrets_;
  outbound::Transfers& transfers_;
  Reports& reports_;
  postgres::Session session_;
  Leases leases_;
  std::optional<std::vector<std::string>> missing_secrets_;
  postgres::Session::Clock::time_point next_claim_{};
  bool stopping_ = false;
  bool found_nothing_ = false;
  std::string refusal_;
};

}  // namespace client::deliver
