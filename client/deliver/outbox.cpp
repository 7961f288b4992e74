#include "deliver/outbox.h"

#include "journal/journal.h"
#include "postgres/patience.h"
#include "text/span.h"
#include "version.h"

namespace client::deliver {

namespace {

using postgres::Answer;
using postgres::Value;
using std::chrono::milliseconds;

constexpr const char* kClaim =
    "SELECT delivery_id, token, message_id, channel_name, kind, config, message, extract(epoch "
    "FROM created_at)"
    " FROM ratchet.claim_deliveries($1, $2::integer, $3::interval, $4::interval, $5, $6::text[])";

Value ArrayOf(const std::optional<std::vector<std::string>>& names) {
  if (!names) {
    return {};
  }
  return postgres::ArrayLiteral({names->begin(), names->end()});
}

}  // namespace

Outbox::Outbox(const SenderOptions& options, const secrets::Secrets& secrets,
               outbound::Transfers& transfers, Reports& reports)
    : options_(options),
      secrets_(secrets),
      transfers_(transfers),
      reports_(reports),
      session_(options.connect, "claims deliveries"),
      leases_(reports, "SELECT ratchet.extend_delivery($1::bigint, $2::bigint, $3::interval)") {}

milliseconds Outbox::Step(postgres::Session::Clock::time_point now) {
  const milliseconds idle = session_.Step(now);
  leases_.Step(now);
  if (!stopping_ && session_.ready() && now >= next_claim_ &&
      leases_.size() < static_cast<std::size_t>(options_.at_once)) {
    Claim();
  }
  return std::min(idle, postgres::kLongestSleep);
}

void Outbox::Stop() {
  stopping_ = true;
  session_.Cancel();
}

void Outbox::Claim() {
  const std::size_t room = static_cast<std::size_t>(options_.at_once) - leases_.size();
  session_.Run(kClaim,
               {options_.name, std::to_string(room), text::SpanLiteral(options_.lease),
                text::SpanLiteral(options_.once ? milliseconds(0) : postgres::kClaimWait),
                RATCHET_CLIENT_VERSION, ArrayOf(missing_secrets_)},
               postgres::kPatience, [this](const Answer& answer) { Take(answer); });
}

void Outbox::Take(const Answer& answer) {
  if (!answer.ok) {
    if (!answer.lost && !stopping_) {
      journal::Error("deliveries cannot be claimed",
                     {{"sqlstate", answer.sqlstate}, {"error", answer.message}});
      refusal_ = answer.sqlstate;
    }
    next_claim_ =
        postgres::Session::Clock::now() + (answer.lost ? milliseconds(0) : postgres::kAfterError);
    return;
  }
  refusal_.clear();
  found_nothing_ = answer.rows.empty();
  if (options_.once && found_nothing_) {
    next_claim_ = postgres::Session::Clock::now() + postgres::kOnceAgain;
  }
  for (const std::vector<Value>& row : answer.rows) {
    Send(row);
  }
}

void Outbox::Send(const std::vector<Value>& row) {
  const auto text = [&](std::size_t column) { return row.at(column).value_or(""); };
  const Lease lease{text(0), text(1)};
  ClaimedDelivery claimed{text(2), text(3), text(4),
                          text(5), text(6), std::strtod(text(7).c_str(), nullptr)};
  const std::string channel_name = claimed.channel_name;
  auto prepared = PrepareDelivery(claimed, secrets_, std::chrono::system_clock::now());
  const auto end = [this, lease, channel_name](const channel::Verdict& verdict) {
    leases_.Remove(lease.id);
    const bool delivered = verdict.outcome == channel::Outcome::kDelivered;
    journal::Write(
        delivered && verdict.error.empty() ? journal::Level::kInfo : journal::Level::kWarning,
        delivered                                     ? "delivered"
        : verdict.outcome == channel::Outcome::kRetry ? "not delivered, to be tried again"
                                                      : "cannot be delivered",
        {{"channel", channel_name}, {"delivery", lease.id}, {"error", verdict.error}});
    reports_.EndDelivery(lease, verdict);
  };
  leases_.Add(lease, options_.lease, postgres::Session::Clock::now());
  if (const auto* verdict = std::get_if<channel::Verdict>(&prepared)) {
    end(*verdict);
    return;
  }
  auto outgoing = std::make_shared<Outgoing>(std::get<Outgoing>(std::move(prepared)));
  transfers_.Start(outgoing->request, [outgoing, end](const outbound::Response& response) {
    end(Judge(*outgoing, response, std::chrono::system_clock::now()));
  });
}

}  // namespace client::deliver
