// What follows from an attempt to deliver a message: for the delivery, and for its channel.
//
// A channel whose receiver does not answer rests, for longer each time, and is tried then with one
// message (a breaker). One whose receiver says that it will never take another message is dead
// until somebody has mended it: its messages wait. Spans and instants are microseconds.
#pragma once

#include <cstdint>

namespace ratchet::policy {

enum class DeliveryOutcome : std::uint8_t {
  kDelivered,
  kRetry,   // it may be taken later
  kFailed,  // it will never be
};

struct ChannelStanding {
  std::int32_t failures = 0;     // in a row
  std::int64_t rests_until = 0;  // 0: it does not rest
  bool is_dead = false;

  // Behind its first messages that were not taken: one at a time, to see whether it is back.
  bool IsOnTrial() const;
  friend bool operator==(const ChannelStanding&, const ChannelStanding&) = default;
};

struct EndedDelivery {
  DeliveryOutcome outcome = DeliveryOutcome::kDelivered;
  std::int32_t attempt = 1;
  std::int64_t created_at = 0;
  std::int64_t now = 0;
  std::int32_t code = 0;       // HTTP's or SMTP's, 0: none
  std::int64_t retry_in = -1;  // what the receiver has asked for; -1: nothing
};

struct DeliveryVerdict {
  bool again = false;
  std::int64_t again_at = 0;
  ChannelStanding channel;
};

// Nobody wants to hear of it any more.
constexpr std::int64_t kLongestDelivery = 3LL * 86'400'000'000;

// unit is a random number from [0, 1): of two senders that were turned away at once, one comes back
// sooner. Never before the receiver has asked for.
DeliveryVerdict AfterDelivery(const ChannelStanding& before, const EndedDelivery& ended,
                              double unit);

// Tokens of a channel that takes so many messages within a period: as many as have come together
// since, at most one period's.
struct RateStanding {
  double tokens = 0;
  std::int64_t at = 0;  // 0: it is full
};
double TokensOf(const RateStanding& standing, std::int32_t count, std::int64_t period,
                std::int64_t now);

}  // namespace ratchet::policy
