// What a sender does with a delivery that it has claimed: ratchet.end_delivery(),
// ratchet.end_deliveries() and ratchet.extend_delivery()
#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "api/argument.h"
#include "api/number_array.h"
#include "api/short_error.h"
#include "api/sql_function.h"
#include "calendar/interval.h"
#include "catalog/channel.h"
#include "catalog/commit_notice.h"
#include "catalog/outbox.h"
#include "pg/span.h"
#include "pg/text_array.h"
#include "policy/json_text.h"

extern "C" {
#include "catalog/pg_type_d.h"
#include "common/pg_prng.h"
#include "utils/array.h"
}

namespace ratchet::api {
namespace {

using catalog::Channel;
using catalog::DeliveryStatus;
using catalog::HeldDelivery;
using policy::DeliveryOutcome;

struct End {
  std::int64_t delivery_id = 0;
  std::int64_t token = 0;
  DeliveryOutcome outcome = DeliveryOutcome::kDelivered;
  std::int32_t code = 0;
  std::string error;
  std::int64_t retry_in = -1;
};

[[noreturn]] void RaiseStale(std::int64_t delivery_id) {
  throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                  "delivery " + std::to_string(delivery_id) + " is not in the hands of this sender",
                  "Take a longer lease, or prolong it by ratchet.extend_delivery().",
                  "It has ended, or its lease was over and it was given to somebody else.");
}

constexpr std::pair<std::string_view, DeliveryOutcome> kOutcomes[] = {
    {"delivered", DeliveryOutcome::kDelivered},
    {"retry", DeliveryOutcome::kRetry},
    {"failed", DeliveryOutcome::kFailed}};

std::string_view Name(DeliveryOutcome outcome) {
  const auto* found = std::find_if(std::begin(kOutcomes), std::end(kOutcomes),
                                   [outcome](const auto& word) { return word.second == outcome; });
  Assert(found != std::end(kOutcomes));
  return found->first;
}

DeliveryOutcome OutcomeOf(const std::string& word) {
  for (const auto& [name, outcome] : kOutcomes) {
    if (word == name) {
      return outcome;
    }
  }
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                  "invalid value for outcome: \"" + word.substr(0, 60) + "\"",
                  R"(Available values: "delivered", "retry", "failed".)");
}

std::int64_t RetryIn(Datum interval) {
  std::int64_t span = 0;
  if (!pg::SpanOf(*DatumGetIntervalP(interval), &span) || span < 0) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "retry_in must not be negative");
  }
  return span;
}

// What another transaction has in hand is waited for.
void Hold(const End& end, HeldDelivery* held) {
  // The same statement may have claimed it.
  pg::Call([] { CommandCounterIncrement(); });
  if (catalog::HoldDelivery(end.delivery_id, pg::IfBusy::kWait, held) != pg::RowHold::kHeld ||
      held->delivery.status != DeliveryStatus::kSending || held->delivery.token != end.token) {
    RaiseStale(end.delivery_id);
  }
}

// [{"at": …, "outcome": "retry", "code": 503, "error": "…", "sender": "…"}, …]: of very many, the
// first ones.
void AddTry(catalog::Delivery* delivery, const End& end, TimestampTz now) {
  constexpr std::size_t kLongest = 16'000;
  constexpr std::size_t kLongestError = 300;
  policy::JsonText text;
  catalog::AddTime(&text, "at", now);
  text.Text("outcome", Name(end.outcome))
      .NumberOrNull("code", end.code)
      .TextOrNull("error", ShortenedTo(end.error, kLongestError))
      .Text("sender", delivery->claimed_by);
  std::string& tries = delivery->tries;
  if (tries.size() > kLongest) {
    return;
  }
  tries = tries.empty() ? "[" + text.Done() + "]"
                        : tries.substr(0, tries.size() - 1) + ", " + text.Done() + "]";
}

// Channels are looked at once, and held only when something about them changes.
class Channels {
 public:
  explicit Channels(TimestampTz now) : now_(now) {}

  policy::ChannelStanding StandingOf(std::int64_t channel_id) {
    const Known& known = Look(channel_id);
    return known.channel ? known.channel->standing() : policy::ChannelStanding{};
  }

  void Take(std::int64_t channel_id, const policy::ChannelStanding& standing,
            const std::string& error) {
    Known& known = Look(channel_id);
    if (!known.channel || known.channel->standing() == standing) {
      return;
    }
    if (!known.is_held) {
      known.channel = catalog::FindChannel(channel_id, &known.tid);
      known.is_held = true;
    }
    if (known.channel) {
      const bool was_dead = known.channel->dead_since != 0;
      known.channel->Take(standing, now_, error);
      catalog::UpdateChannel(&known.tid, *known.channel);
      if (!was_dead && standing.is_dead) {
        catalog::ReportDeadChannel(*known.channel, now_);
      }
    }
  }

 private:
  struct Known {
    std::optional<Channel> channel;
    ItemPointerData tid;
    bool is_held = false;
  };
  Known& Look(std::int64_t channel_id) {
    const auto [place, is_new] = known_.try_emplace(channel_id);
    if (is_new) {
      place->second.channel = catalog::FindChannel(channel_id);
    }
    return place->second;
  }

  const TimestampTz now_;
  std::map<std::int64_t, Known> known_;
};

void Settle(const End& end, HeldDelivery* held, Channels* channels, TimestampTz now) {
  catalog::Delivery& delivery = held->delivery;
  const policy::EndedDelivery ended = {end.outcome, delivery.attempts, delivery.created_at,
                                       now,         end.code,          end.retry_in};
  const policy::DeliveryVerdict verdict = policy::AfterDelivery(
      channels->StandingOf(delivery.channel_id), ended, pg_prng_double(&pg_global_prng_state));
  AddTry(&delivery, end, now);
  delivery.code = end.code;
  delivery.error = end.error;
  delivery.token = 0;
  if (verdict.again) {
    delivery.status = DeliveryStatus::kWaiting;
    delivery.next_try_at = verdict.again_at;
  } else {
    delivery.status = end.outcome == DeliveryOutcome::kDelivered ? DeliveryStatus::kDelivered
                                                                 : DeliveryStatus::kFailed;
    delivery.next_try_at = 0;
    delivery.ended_at = now;
  }
  catalog::UpdateDelivery(held);
  channels->Take(delivery.channel_id, verdict.channel, end.error);
}

// All deliveries first, in one order, and then their channels: two senders do not wait for each
// other in a circle.
void EndAll(std::vector<End> ends) {
  std::sort(ends.begin(), ends.end(),
            [](const End& a, const End& b) { return a.delivery_id < b.delivery_id; });
  std::vector<HeldDelivery> held(ends.size());
  for (std::size_t i = 0; i < ends.size(); i++) {
    if (i > 0 && ends[i].delivery_id == ends[i - 1].delivery_id) {
      throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "delivery_ids must not have one twice");
    }
    Hold(ends[i], &held[i]);
  }
  const TimestampTz now = GetCurrentTimestamp();
  Channels channels(now);
  for (std::size_t i = 0; i < ends.size(); i++) {
    Settle(ends[i], &held[i], &channels, now);
  }
}

void EndDelivery(const Arguments& arguments) {
  enum Argument { kId, kToken, kOutcome, kCode, kError, kRetryIn };
  RequireWritable("ratchet.end_delivery()");
  End end;
  end.delivery_id = arguments.Int64(kId, "delivery_id");
  end.token = arguments.Int64(kToken, "token");
  end.outcome = OutcomeOf(arguments.Text(kOutcome, "outcome"));
  end.code = arguments.IsNull(kCode) ? 0 : DatumGetInt32(arguments.Value(kCode));
  end.error = Shortened(arguments.TextOrEmpty(kError));
  end.retry_in = arguments.IsNull(kRetryIn) ? -1 : RetryIn(arguments.Value(kRetryIn));
  EndAll({end});
}

// ---- Arrays, whose elements may be null ---------------------------------------------------------

struct Elements {
  std::vector<Datum> values;
  std::vector<bool> nulls;

  bool Has(std::size_t i) const { return i < values.size() && !nulls[i]; }
};

Elements ElementsOf(const Arguments& arguments, int argument, const char* name, Oid type,
                    std::size_t count) {
  Elements elements;
  if (arguments.IsNull(argument)) {
    return elements;
  }
  pg::Call([&] {
    Datum* values = nullptr;
    bool* nulls = nullptr;
    int found = 0;
    const bool by_value = type == INT4OID;
    deconstruct_array(DatumGetArrayTypeP(arguments.Value(argument)), type,
                      type == TEXTOID   ? -1
                      : type == INT4OID ? static_cast<int>(sizeof(std::int32_t))
                                        : static_cast<int>(sizeof(Interval)),
                      by_value, type == INTERVALOID ? TYPALIGN_DOUBLE : TYPALIGN_INT, &values,
                      &nulls, &found);
    elements.values.assign(values, values + found);
    elements.nulls.assign(nulls, nulls + found);
  });
  if (elements.values.size() != count) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    std::string(name) + " must have as many elements as delivery_ids");
  }
  return elements;
}

void EndDeliveries(const Arguments& arguments) {
  enum Argument { kIds, kTokens, kOutcomes, kCodes, kErrors, kRetryIns };
  RequireWritable("ratchet.end_deliveries()");
  const std::vector<std::int64_t> ids = NumbersOf(arguments, kIds, "delivery_ids");
  const std::vector<std::int64_t> tokens = NumbersOf(arguments, kTokens, "tokens");
  if (tokens.size() != ids.size()) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "tokens must have as many elements as delivery_ids");
  }
  const Elements outcomes = ElementsOf(arguments, kOutcomes, "outcomes", TEXTOID, ids.size());
  const Elements codes = ElementsOf(arguments, kCodes, "codes", INT4OID, ids.size());
  const Elements errors = ElementsOf(arguments, kErrors, "errors", TEXTOID, ids.size());
  const Elements retries = ElementsOf(arguments, kRetryIns, "retry_ins", INTERVALOID, ids.size());
  std::vector<End> ends(ids.size());
  for (std::size_t i = 0; i < ids.size(); i++) {
    if (!outcomes.Has(i)) {
      throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "outcomes must not have nulls");
    }
    ends[i] = {ids[i],
               tokens[i],
               OutcomeOf(TextOf(outcomes.values[i])),
               codes.Has(i) ? DatumGetInt32(codes.values[i]) : 0,
               errors.Has(i) ? Shortened(TextOf(errors.values[i])) : std::string(),
               retries.Has(i) ? RetryIn(retries.values[i]) : -1};
  }
  EndAll(std::move(ends));
}

void ExtendDelivery(const Arguments& arguments) {
  RequireWritable("ratchet.extend_delivery()");
  End end;
  end.delivery_id = arguments.Int64(0, "delivery_id");
  end.token = arguments.Int64(1, "token");
  std::int64_t lease = 0;
  if (arguments.IsNull(2) || !pg::SpanOf(*DatumGetIntervalP(arguments.Value(2)), &lease) ||
      lease < calendar::kSecond || lease > calendar::kDay) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "lease must be between 1 second and 1 day");
  }
  HeldDelivery held;
  Hold(end, &held);
  held.delivery.next_try_at = GetCurrentTimestamp() + lease;
  catalog::UpdateDelivery(&held);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_end_delivery);
PGDLLEXPORT Datum ratchet_end_delivery(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::EndDelivery(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_end_deliveries);
PGDLLEXPORT Datum ratchet_end_deliveries(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::EndDeliveries(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_extend_delivery);
PGDLLEXPORT Datum ratchet_extend_delivery(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::ExtendDelivery(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

}  // extern "C"
