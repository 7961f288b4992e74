// ratchet.claim_deliveries()
#include <algorithm>
#include <vector>

#include "api/argument.h"
#include "api/channel_access.h"
#include "api/job_check.h"
#include "api/row_set.h"
#include "api/short_error.h"
#include "api/sql_function.h"
#include "board/sender_board.h"
#include "calendar/interval.h"
#include "catalog/column_kinds.h"
#include "catalog/delivery.h"
#include "catalog/home.h"
#include "catalog/task_token.h"
#include "pg/clock.h"
#include "pg/span.h"
#include "pg/text_array.h"
#include "policy/channel_config.h"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"
#include "utils/wait_event.h"
}

namespace ratchet::api {
namespace {

using catalog::Channel;
using catalog::DeliveryStatus;
using catalog::HeldDelivery;

constexpr int kMostDeliveries = 1000;
// Who waits looks at the table so often, whatever it is told; microseconds.
constexpr std::int64_t kLookAgain = 10'000'000;

[[noreturn]] void Refuse(const std::string& message) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message);
}

struct Request {
  std::string sender;
  int most = 0;
  std::int64_t lease = 0;  // microseconds
  std::int64_t wait = 0;
  std::vector<std::string> missing;  // secrets that the sender does not have
  std::string version;
};

std::int64_t SpanOf(const Arguments& arguments, int argument, const char* name,
                    std::int64_t shortest) {
  std::int64_t span = 0;
  if (arguments.IsNull(argument)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " must not be null");
  }
  if (!pg::SpanOf(*DatumGetIntervalP(arguments.Value(argument)), &span) || span < shortest ||
      span > calendar::kDay) {
    Refuse(std::string(name) + (shortest == 0 ? " must be between 0 and 1 day"
                                              : " must be between 1 second and 1 day"));
  }
  return span;
}

Request RequestOf(const Arguments& arguments) {
  enum Argument { kSender, kMost, kLease, kWait, kVersion, kMissing };
  Request request;
  request.sender = arguments.Text(kSender, "sender");
  CheckName(request.sender, "sender");
  request.most = arguments.IsNull(kMost) ? 0 : DatumGetInt32(arguments.Value(kMost));
  if (request.most < 1 || request.most > kMostDeliveries) {
    Refuse("max_deliveries must be between 1 and " + std::to_string(kMostDeliveries));
  }
  request.lease = SpanOf(arguments, kLease, "lease", calendar::kSecond);
  request.wait = SpanOf(arguments, kWait, "wait", 0);
  request.version = arguments.TextOrEmpty(kVersion);
  RequireVisible(request.version, "client_version");
  if (!arguments.IsNull(kMissing)) {
    pg::Call([&] { pg::AppendTextArray(arguments.Value(kMissing), &request.missing); });
    for (const std::string& name : request.missing) {
      RequireVisible(name, "missing_secrets");
    }
  }
  return request;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) {
    joined += (joined.empty() ? "" : ", ") + name;
  }
  return joined;
}

// ---- Which channels may send -------------------------------------------------------------------

struct Offer {
  Channel channel;
  ItemPointerData tid;   // of its row, where it is held
  bool is_held = false;  // for its state changes with what is taken
  policy::ChannelRate rate;
  int most = 0;
  int taken = 0;
};

bool IsUsable(const Channel& channel, const Request& request, TimestampTz now) {
  if (channel.quarantined || channel.dead_since != 0 || channel.rests_until > now ||
      !OidIsValid(channel.owner)) {
    return false;
  }
  const auto config = policy::ParseJson(channel.config);
  if (!config) {
    return false;
  }
  const std::vector<std::string> secrets = policy::SecretsIn(*config);
  return std::none_of(secrets.begin(), secrets.end(), [&request](const std::string& secret) {
    return std::find(request.missing.begin(), request.missing.end(), secret) !=
           request.missing.end();
  });
}

// How many of the channel may be sent now. Of one that somebody else has in hand, none.
int RoomOf(Offer* offer, const Request& request, TimestampTz now) {
  const auto config = policy::ParseJson(offer->channel.config);
  offer->rate = policy::RateOf(offer->channel.kind, *config);
  const bool is_on_trial = offer->channel.standing().IsOnTrial();
  if (!offer->rate && !is_on_trial) {
    return request.most;
  }
  if (catalog::FirstDueDelivery(offer->channel.channel_id) == 0) {
    return 0;
  }
  auto held = catalog::TryHoldChannel(offer->channel.channel_id, &offer->tid);
  if (!held || !IsUsable(*held, request, now)) {
    return 0;
  }
  offer->channel = *std::move(held);
  offer->is_held = true;
  int room = is_on_trial ? 1 : request.most;
  if (offer->rate) {
    offer->channel.tokens = policy::TokensOf({offer->channel.tokens, offer->channel.tokens_at},
                                             offer->rate.count, offer->rate.period, now);
    offer->channel.tokens_at = now;
    room = std::min(room, static_cast<int>(offer->channel.tokens));
  }
  return room;
}

std::vector<Offer> OffersFor(const Request& request, TimestampTz now) {
  std::vector<Offer> offers;
  for (Channel& channel : catalog::ListChannels()) {
    if (!IsUsable(channel, request, now)) {
      continue;
    }
    Offer offer;
    offer.channel = std::move(channel);
    offer.most = RoomOf(&offer, request, now);
    if (offer.most > 0) {
      offers.push_back(std::move(offer));
    }
  }
  return offers;
}

// ---- What is taken -----------------------------------------------------------------------------

class Claiming {
 public:
  Claiming(const Request& request, TimestampTz now, RowSet* rows)
      : request_(request), now_(now), rows_(rows) {}

  int taken() const { return taken_; }

  // Each channel gets its share first, so that none waits behind the many messages of another one.
  void Take(std::vector<Offer>* offers) {
    const int share = std::max(1, request_.most / std::max(1, static_cast<int>(offers->size())));
    for (Offer& offer : *offers) {
      TakeFrom(&offer, std::min(share, offer.most));
    }
    for (Offer& offer : *offers) {
      if (offer.taken == share) {
        TakeFrom(&offer, offer.most - offer.taken);
      }
    }
    for (Offer& offer : *offers) {
      SetState(&offer);
    }
  }

 private:
  void TakeFrom(Offer* offer, int most) {
    most = std::min(most, request_.most - taken_);
    if (most <= 0) {
      return;
    }
    struct Wanted {
      std::vector<HeldDelivery> found;
      std::size_t most;
    } wanted{{}, static_cast<std::size_t>(most)};
    wanted.found.reserve(wanted.most);
    catalog::HoldDueDeliveries(
        offer->channel.channel_id, now_,
        [](void* context, HeldDelivery* held) {
          auto* list = static_cast<Wanted*>(context);
          list->found.push_back(*held);
          return list->found.size() < list->most;
        },
        &wanted);
    for (HeldDelivery& held : wanted.found) {
      if (Begin(&held)) {
        AddRow(offer->channel, held.delivery);
        offer->taken++;
        taken_++;
      }
    }
  }

  bool Begin(HeldDelivery* held) {
    catalog::Delivery& delivery = held->delivery;
    if (delivery.created_at + policy::kLongestDelivery < now_) {
      delivery.status = DeliveryStatus::kFailed;
      delivery.error += delivery.error.empty() ? "it has waited for 3 days" : " (given up)";
      delivery.ended_at = now_;
      delivery.next_try_at = 0;
      catalog::UpdateDelivery(held);
      return false;
    }
    delivery.status = DeliveryStatus::kSending;
    delivery.attempts++;
    delivery.token = catalog::NewTaskToken();
    delivery.claimed_by = request_.sender;
    delivery.next_try_at = now_ + request_.lease;
    catalog::UpdateDelivery(held);
    return true;
  }

  void AddRow(const Channel& channel, const catalog::Delivery& delivery) {
    pg::Call([&] {
      pg::Row shaped;
      shaped.SetJsonb(1, channel.config);
      shaped.SetJsonb(2, delivery.message);
      catalog::Uuid::Set(&shaped, 3, delivery.message_id);
      Datum values[] = {Int64GetDatum(delivery.delivery_id),
                        Int64GetDatum(delivery.token),
                        shaped.values[2],
                        CStringGetTextDatum(channel.channel_name.c_str()),
                        CStringGetTextDatum(channel.kind.c_str()),
                        shaped.values[0],
                        shaped.values[1],
                        Int32GetDatum(delivery.attempts),
                        TimestampTzGetDatum(delivery.created_at)};
      bool nulls[9] = {};
      rows_->Add(values, nulls);
    });
  }

  void SetState(Offer* offer) {
    if (!offer->is_held || offer->taken == 0) {
      return;
    }
    offer->channel.tokens -= offer->rate ? offer->taken : 0;
    // One at a time, until it is known how that went.
    if (offer->channel.standing().IsOnTrial()) {
      offer->channel.rests_until = now_ + request_.lease;
    }
    catalog::UpdateChannel(&offer->tid, offer->channel);
  }

  const Request& request_;
  const TimestampTz now_;
  RowSet* rows_;
  int taken_ = 0;
};

// When there may be something to send: the first delivery of a channel that may send by then.
TimestampTz NextLook(const Request& request, TimestampTz now) {
  TimestampTz next = now + kLookAgain;
  for (const Channel& channel : catalog::ListChannels()) {
    const TimestampTz first = catalog::FirstDueDelivery(channel.channel_id);
    if (first == 0 || channel.dead_since != 0 || channel.quarantined) {
      continue;
    }
    TimestampTz at = std::max(first, channel.rests_until);
    if (at <= now && !IsUsable(channel, request, now)) {
      continue;
    }
    // A channel that has used up its rate, or is in somebody's hands.
    at = std::max(at, now + calendar::kSecond / 10);
    next = std::min(next, at);
  }
  return next;
}

void Sleep(std::int64_t micros) {
  pg::Call([micros] {
    const long milliseconds =
        static_cast<long>(std::clamp<std::int64_t>(micros / 1000 + 1, 1, kLookAgain / 1000));
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

// What was written is on disk before a sender hears of it, and so is what it tells of: the commit
// of a run may be asynchronous, and this one is not.
void CommitForSure() {
  pg::Call([] { ForceSyncCommit(); });
}

// What ratchet.status() says of it, cut where a character ends.
board::SenderNote NoteOf(const Request& request) {
  return {ShortenedTo(request.sender, sizeof(board::SenderSlot::name) - 1),
          ShortenedTo(request.version, sizeof(board::SenderSlot::version) - 1),
          ShortenedTo(Joined(request.missing), sizeof(board::SenderSlot::missing) - 1)};
}

// Who has waited may have lost the right to it since: a password that was stolen is good for
// nothing after ratchet.revoke_sender(), also for a call that was under way.
void RequireStillSender() {
  pg::Call([] { AcceptInvalidationMessages(); });
  if (!IsSender(GetUserId())) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "permission denied for function claim_deliveries");
  }
}

bool IsAtHome() {
  const catalog::HomeFinding finding = catalog::CheckHome();
  return finding != catalog::HomeFinding::kElsewhere && finding != catalog::HomeFinding::kCopied;
}

void ClaimDeliveries(FunctionCallInfo call) {
  const Arguments arguments(call);
  RequireWritable("ratchet.claim_deliveries()");
  RowSet rows(call);
  const Request request = RequestOf(arguments);
  const policy::SteadyTime begun = pg::SteadyNow();
  board::NoteSender(NoteOf(request), begun);
  const board::SenderWait waiting;
  while (true) {
    const TimestampTz now = GetCurrentTimestamp();
    if (IsAtHome()) {
      Claiming claiming(request, now, &rows);
      std::vector<Offer> offers = OffersFor(request, now);
      claiming.Take(&offers);
      if (claiming.taken() > 0) {
        CommitForSure();
        return;
      }
    }
    const std::int64_t left = begun + request.wait - pg::SteadyNow();
    if (left <= 0) {
      return;
    }
    Sleep(std::min(left, NextLook(request, now) - now));
    RequireStillSender();
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_claim_deliveries);
PGDLLEXPORT Datum ratchet_claim_deliveries(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::ClaimDeliveries(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
