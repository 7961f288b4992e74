#include "postgres/session.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "journal/journal.h"
#include "text/plain.h"

namespace client::postgres {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{30000};
// A connection that held for so long was a good one: the next pause is short again.
constexpr milliseconds kGood{10000};
constexpr milliseconds kWhileConnecting{100};
constexpr milliseconds kLong{3600000};

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

std::string Trimmed(const char* text) {
  std::string trimmed = text::OneLine(text == nullptr ? "" : text);
  trimmed.erase(trimmed.find_last_not_of(' ') + 1);
  return trimmed;
}

void ReadRows(const PGresult* result, Answer& answer) {
  for (int row = 0; row < PQntuples(result); row++) {
    std::vector<Value>& values = answer.rows.emplace_back();
    for (int column = 0; column < PQnfields(result); column++) {
      values.push_back(PQgetisnull(result, row, column) != 0
                           ? Value()
                           : Value(std::in_place, PQgetvalue(result, row, column),
                                   static_cast<std::size_t>(PQgetlength(result, row, column))));
    }
  }
}

void ReadResult(const PGresult* result, Answer& answer) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    answer.ok = true;
    ReadRows(result, answer);
    return;
  }
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string() : std::string(text);
  };
  answer.ok = false;
  answer.sqlstate = field(PG_DIAG_SQLSTATE);
  answer.message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (answer.message.empty()) {
    answer.message = Trimmed(PQresultErrorMessage(result));
  }
  if (const std::string hint = field(PG_DIAG_MESSAGE_HINT); !hint.empty()) {
    answer.message += " (" + hint + ")";
  }
}

std::vector<const char*> Pointers(const std::vector<Value>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const Value& value : values) {
    pointers.push_back(value ? value->c_str() : nullptr);
  }
  return pointers;
}

// A quarter more or less, so that those who lost the same server do not come back as one.
milliseconds Jittered(milliseconds pause) {
  static std::minstd_rand random{std::random_device{}()};
  return milliseconds(std::uniform_int_distribution<long long>(pause.count() * 3 / 4,
                                                               pause.count() * 5 / 4)(random));
}

}  // namespace

Connection Connect(const ConnectOptions& options, std::string& problem) {
  // Those in front are taken unless the connection string says otherwise: it is put in where
  // "dbname" stands.
  constexpr std::array<const char*, 9> kNames = {
      "target_session_attrs",      "connect_timeout",  "keepalives_idle",
      "keepalives_interval",       "keepalives_count", "tcp_user_timeout",
      "fallback_application_name", "dbname",           "client_encoding"};
  const std::array<const char*, 9> values = {
      std::getenv("PGTARGETSESSIONATTRS") == nullptr ? "read-write" : nullptr,
      std::getenv("PGCONNECT_TIMEOUT") == nullptr ? "10" : nullptr,
      "30",
      "10",
      "3",
      "60000",
      options.application_name.c_str(),
      options.dsn.empty() ? nullptr : options.dsn.c_str(),
      "UTF8"};
  std::array<const char*, 10> names{};
  std::array<const char*, 10> given{};
  std::copy(kNames.begin(), kNames.end(), names.begin());
  std::copy(values.begin(), values.end(), given.begin());
  Connection connection(PQconnectdbParams(names.data(), given.data(), 1), &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    problem = Trimmed(PQerrorMessage(connection.get()));
    connection.reset();
  }
  return connection;
}

Answer Ask(PGconn* connection, const std::string& sql, const std::vector<Value>& values) {
  Answer answer;
  const std::vector<const char*> pointers = Pointers(values);
  PGresult* result = PQexecParams(connection, sql.c_str(), static_cast<int>(values.size()), nullptr,
                                  pointers.data(), nullptr, nullptr, 0);
  ReadResult(result, answer);
  PQclear(result);
  answer.lost = PQstatus(connection) != CONNECTION_OK;
  return answer;
}

// Connecting resolves names, and waits for each host in turn: in a thread of its own, which nobody
// waits for.
struct Session::Attempt {
  ConnectOptions options;
  std::atomic<bool> ended = false;
  std::mutex mutex;
  Connection connection{nullptr, &PQfinish};
  std::string problem;
};

Session::Session(ConnectOptions options, std::string name)
    : options_(std::move(options)), name_(std::move(name)) {}

Session::~Session() = default;

void Session::BeginConnect() {
  attempt_ = std::make_shared<Attempt>();
  attempt_->options = options_;
  std::thread([attempt = attempt_] {
    std::string problem;
    Connection connection = Connect(attempt->options, problem);
    const std::lock_guard lock(attempt->mutex);
    attempt->connection = std::move(connection);
    attempt->problem = problem;
    attempt->ended = true;
  }).detach();
}

void Session::FinishConnect(Clock::time_point now) {
  const std::shared_ptr<Attempt> attempt = std::move(attempt_);
  const std::lock_guard lock(attempt->mutex);
  if (attempt->connection == nullptr) {
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    next_attempt_ = now + Jittered(pause_);
    journal::Warning("no connection to the database",
                     {{"session", name_}, {"error", attempt->problem}});
    return;
  }
  connection_ = std::move(attempt->connection);
  connected_at_ = now;
  journal::Info("connected to the database", {{"session", name_}});
  if (on_connect_) {
    on_connect_(connection_.get());
  }
}

void Session::Break(Clock::time_point now, const std::string& reason) {
  connection_.reset();
  if (now - connected_at_ > kGood) {
    pause_ = milliseconds(0);
  }
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  next_attempt_ = now + Jittered(pause_);
  journal::Warning("the connection to the database is lost",
                   {{"session", name_}, {"error", reason}});
  if (busy_) {
    busy_ = false;
    answer_.ok = false;
    answer_.lost = true;
    if (answer_.message.empty()) {
      answer_.message = reason;
    }
    // Who is told may ask the next thing.
    const Done done = std::move(done_);
    done(std::exchange(answer_, {}));
  }
}

void Session::Run(const std::string& sql, const std::vector<Value>& values, milliseconds at_most,
                  Done done) {
  const std::vector<const char*> pointers = Pointers(values);
  busy_ = true;
  done_ = std::move(done);
  answer_ = {};
  answer_until_ = Clock::now() + at_most;
  if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                        pointers.data(), nullptr, nullptr, 0) == 0) {
    answer_.message = Trimmed(PQerrorMessage(connection_.get()));
    // Told by Step, as every answer.
    answer_until_ = Clock::time_point();
  }
}

void Session::Cancel() {
  if (!busy_) {
    return;
  }
  PGcancel* cancel = PQgetCancel(connection_.get());
  std::array<char, 256> problem{};
  if (cancel != nullptr) {
    PQcancel(cancel, problem.data(), static_cast<int>(problem.size()));
    PQfreeCancel(cancel);
  }
}

void Session::ReadAnswer(Clock::time_point now) {
  if (PQconsumeInput(connection_.get()) == 0) {
    Break(now, Trimmed(PQerrorMessage(connection_.get())));
    return;
  }
  while (busy_ && PQisBusy(connection_.get()) == 0) {
    PGresult* result = PQgetResult(connection_.get());
    if (result != nullptr) {
      ReadResult(result, answer_);
      PQclear(result);
      continue;
    }
    // After a failover the old primary may still answer, and take no changes: another one has to be
    // found.
    if (PQstatus(connection_.get()) != CONNECTION_OK || answer_.sqlstate == "25006") {
      Break(now, answer_.message);
      return;
    }
    busy_ = false;
    pause_ = milliseconds(0);
    const Done done = std::move(done_);
    done(std::exchange(answer_, {}));
  }
}

milliseconds Session::Step(Clock::time_point now) {
  if (attempt_ != nullptr && attempt_->ended) {
    FinishConnect(now);
  }
  if (connection_ == nullptr) {
    if (attempt_ == nullptr && now >= next_attempt_) {
      BeginConnect();
    }
    return attempt_ != nullptr
               ? kWhileConnecting
               : std::max(milliseconds(1), std::chrono::ceil<milliseconds>(next_attempt_ - now));
  }
  ReadAnswer(now);
  if (connection_ != nullptr && busy_ && now >= answer_until_) {
    Break(now, answer_.message.empty() ? "no answer in time" : answer_.message);
  }
  return connection_ != nullptr && busy_
             ? std::max(milliseconds(1), std::chrono::ceil<milliseconds>(answer_until_ - now))
         : connection_ != nullptr ? kLong
                                  : kFirstPause;
}

int Session::socket() const { return connection_ == nullptr ? -1 : PQsocket(connection_.get()); }

}  // namespace client::postgres
