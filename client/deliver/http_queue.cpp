#include "deliver/http_queue.h"

#include "journal/journal.h"
#include "postgres/patience.h"
#include "text/span.h"

namespace client::deliver {

namespace {

using postgres::Answer;
using postgres::Value;
using std::chrono::milliseconds;

constexpr std::size_t kMostAtOnce = 500;  // of ratchet.claim

}  // namespace

HttpQueue::HttpQueue(const SenderOptions& options, const secrets::Secrets& secrets,
                     outbound::Transfers& transfers, Reports& reports, HttpQueueConfig config)
    : options_(options),
      secrets_(secrets),
      transfers_(transfers),
      reports_(reports),
      config_(std::move(config)),
      session_(options.connect, "claims tasks of " + config_.name),
      leases_(reports, "SELECT ratchet.extend($1::bigint, $2::bigint, $3::interval)") {}

milliseconds HttpQueue::Step(postgres::Session::Clock::time_point now) {
  const milliseconds idle = session_.Step(now);
  leases_.Step(now);
  const auto most = static_cast<std::size_t>(std::max(1, config_.concurrency));
  if (!stopping_ && session_.ready() && now >= next_claim_ && leases_.size() < most) {
    session_.Run(
        "SELECT task_id, token, payload FROM ratchet.claim($1, $2::integer, $3::interval, "
        "$4::interval)",
        {config_.name, std::to_string(std::min(most - leases_.size(), kMostAtOnce)),
         text::SpanLiteral(config_.lease),
         text::SpanLiteral(options_.once ? milliseconds(0) : postgres::kClaimWait)},
        postgres::kPatience, [this](const Answer& answer) { Take(answer); });
  }
  return std::min(idle, postgres::kLongestSleep);
}

void HttpQueue::Stop() {
  stopping_ = true;
  session_.Cancel();
}

void HttpQueue::Take(const Answer& answer) {
  if (!answer.ok) {
    if (!answer.lost && !stopping_) {
      journal::Error(
          "tasks cannot be claimed",
          {{"queue", config_.name}, {"sqlstate", answer.sqlstate}, {"error", answer.message}});
    }
    next_claim_ =
        postgres::Session::Clock::now() + (answer.lost ? milliseconds(0) : postgres::kAfterError);
    return;
  }
  found_nothing_ = answer.rows.empty();
  if (options_.once && found_nothing_) {
    next_claim_ = postgres::Session::Clock::now() + postgres::kOnceAgain;
  }
  for (const std::vector<Value>& row : answer.rows) {
    Send(row);
  }
}

void HttpQueue::Send(const std::vector<Value>& row) {
  const Lease lease{row.at(0).value_or(""), row.at(1).value_or("")};
  leases_.Add(lease, config_.lease, postgres::Session::Clock::now());
  auto prepared =
      PrepareTask({config_.name, lease.id, row.at(2).value_or("")}, config_.http, secrets_);
  if (const auto* verdict = std::get_if<channel::Verdict>(&prepared)) {
    End(lease, *verdict, {});
    return;
  }
  auto outgoing = std::make_shared<Outgoing>(std::get<Outgoing>(std::move(prepared)));
  transfers_.Start(outgoing->request, [this, lease, outgoing](const outbound::Response& response) {
    const channel::Verdict verdict = Judge(*outgoing, response, std::chrono::system_clock::now());
    End(lease, verdict,
        verdict.outcome == channel::Outcome::kDelivered ? TaskResult(*outgoing, response)
                                                        : std::string());
  });
}

void HttpQueue::End(const Lease& lease, const channel::Verdict& verdict,
                    const std::string& result) {
  leases_.Remove(lease.id);
  const auto told = [queue = config_.name, id = lease.id](const Answer& answer) {
    if (!answer.ok) {
      journal::Warning("the end of a task could not be told",
                       {{"queue", queue}, {"task", id}, {"error", answer.message}});
    }
  };
  if (verdict.outcome == channel::Outcome::kDelivered) {
    reports_.Tell("SELECT ratchet.complete($1::bigint, $2::bigint, $3::jsonb)",
                  {lease.id, lease.token, result}, told);
    return;
  }
  journal::Warning("a request failed",
                   {{"queue", config_.name}, {"task", lease.id}, {"error", verdict.error}});
  reports_.Tell(
      "SELECT ratchet.fail($1::bigint, $2::bigint, $3, $4::interval, $5::boolean)",
      {lease.id, lease.token, verdict.error,
       verdict.retry_in ? Value(std::to_string(verdict.retry_in->count()) + " s") : Value(),
       verdict.outcome == channel::Outcome::kFailed ? "true" : "false"},
      told);
}

}  // namespace client::deliver
