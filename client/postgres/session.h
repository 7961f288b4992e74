// A connection that comes back: statements one after the other, none of which is waited for. When
// it breaks, by a restart, a failover or pg_terminate_backend, a new one is made, with pauses that
// grow.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "postgres/answer.h"

namespace client::postgres {

struct ConnectOptions {
  std::string dsn;               // as libpq has it; empty: the environment's
  std::string application_name;  // if dsn and environment name none
};

// Also to be used where waiting is all there is to do. Null on failure, with the reason.
std::unique_ptr<PGconn, decltype(&PQfinish)> Connect(const ConnectOptions& options,
                                                     std::string& problem);
Answer Ask(PGconn* connection, const std::string& sql, const std::vector<Value>& values = {});

class Session {
 public:
  using Clock = std::chrono::steady_clock;
  using Done = std::function<void(const Answer&)>;

  // name: of this session in our log.
  Session(ConnectOptions options, std::string name);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Called for each new connection, before anything else is asked.
  void OnConnect(std::function<void(PGconn*)> hook) { on_connect_ = std::move(hook); }

  bool ready() const { return connection_ != nullptr && !busy_; }
  bool connected() const { return connection_ != nullptr; }
  bool busy() const { return busy_; }

  // Only when ready. An answer that is not there after at_most breaks the connection.
  void Run(const std::string& sql, const std::vector<Value>& values,
           std::chrono::milliseconds at_most, Done done);

  // Asks the server to end the statement that runs.
  void Cancel();

  // Does what can be done without waiting. Returns how long nothing has to be done if nothing comes
  // from the socket.
  std::chrono::milliseconds Step(Clock::time_point now);

  // -1 while there is none to be waited for.
  int socket() const;

 private:
  struct Attempt;

  void BeginConnect();
  void FinishConnect(Clock::time_point now);
  void Break(Clock::time_point now, const std::string& reason);
  void ReadAnswer(Clock::time_point now);

  ConnectOptions options_;
  std::string name_;
  std::function<void(PGconn*)> on_connect_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
  std::shared_ptr<Attempt> attempt_;
  Clock::time_point next_attempt_{};
  std::chrono::milliseconds pause_{0};
  Clock::time_point connected_at_{};
  bool busy_ = false;
  Clock::time_point answer_until_{};
  Done done_;
  Answer answer_;
};

}  // namespace client::postgres
