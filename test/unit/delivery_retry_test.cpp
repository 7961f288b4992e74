#include "policy/delivery_retry.h"

#include <gtest/gtest.h>

#include "policy/message_id.h"

namespace ratchet::policy {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

DeliveryVerdict After(const ChannelStanding& before, DeliveryOutcome outcome, int attempt,
                      std::int64_t now, std::int32_t code = 0, std::int64_t retry_in = -1,
                      double unit = 0) {
  return AfterDelivery(before, {outcome, attempt, 0, now, code, retry_in}, unit);
}

TEST(DeliveryRetry, PausesGrowAndHaveAnEnd) {
  std::int64_t now = 0;
  std::int64_t last = 0;
  ChannelStanding channel;
  int attempt = 1;
  for (;; attempt++) {
    const DeliveryVerdict verdict = After(channel, DeliveryOutcome::kRetry, attempt, now);
    channel = verdict.channel;
    if (!verdict.again) {
      break;
    }
    const std::int64_t pause = verdict.again_at - now;
    EXPECT_GE(pause, last);
    EXPECT_LE(pause, 3600 * kSecond);
    last = pause;
    now = verdict.again_at;
  }
  EXPECT_EQ(last, 3600 * kSecond);
  EXPECT_GT(now, kLongestDelivery - 2 * 3600 * kSecond);
  EXPECT_GT(attempt, 70);
  EXPECT_LT(attempt, 100);
}

TEST(DeliveryRetry, JitterOnlyAdds) {
  const std::int64_t plain = After({}, DeliveryOutcome::kRetry, 3, 0).again_at;
  for (const double unit : {0.0, 0.3, 0.99}) {
    const std::int64_t at = After({}, DeliveryOutcome::kRetry, 3, 0, 0, -1, unit).again_at;
    EXPECT_GE(at, plain);
    EXPECT_LE(at, plain + plain / 4);
    EXPECT_GE(After({}, DeliveryOutcome::kRetry, 1, 0, 429, 60 * kSecond, unit).again_at,
              60 * kSecond);
  }
}

TEST(DeliveryRetry, WhatTheReceiverAsksForHoldsForTheWholeChannel) {
  const DeliveryVerdict verdict = After({}, DeliveryOutcome::kRetry, 1, 0, 429, 60 * kSecond);
  EXPECT_EQ(verdict.channel.rests_until, 60 * kSecond);
  // But not for ever.
  EXPECT_LE(After({}, DeliveryOutcome::kRetry, 1, 0, 429, 400'000 * kSecond).channel.rests_until,
            86'400 * kSecond);
}

TEST(DeliveryRetry, AChannelThatDoesNotAnswerRestsAndIsTriedWithOne) {
  ChannelStanding channel;
  std::int64_t now = 0;
  for (int i = 1; i <= 4; i++) {
    channel = After(channel, DeliveryOutcome::kRetry, 1, now).channel;
    EXPECT_EQ(channel.rests_until, 0) << i;
    EXPECT_FALSE(channel.IsOnTrial());
  }
  std::int64_t last = 0;
  for (int i = 0; i < 10; i++) {
    channel = After(channel, DeliveryOutcome::kRetry, 1, now).channel;
    EXPECT_TRUE(channel.IsOnTrial());
    const std::int64_t rest = channel.rests_until - now;
    EXPECT_GE(rest, std::max(last, 30 * kSecond));
    EXPECT_LE(rest, 600 * kSecond);
    last = rest;
    now = channel.rests_until;
  }
  EXPECT_EQ(After(channel, DeliveryOutcome::kDelivered, 1, now).channel, ChannelStanding{});
}

TEST(DeliveryRetry, WhoIsNotLetInIsDeadAndWhoRefusesOneMessageIsNot) {
  for (const int code : {401, 403, 404, 410}) {
    const DeliveryVerdict verdict = After({}, DeliveryOutcome::kFailed, 1, 0, code);
    EXPECT_TRUE(verdict.channel.is_dead) << code;
    EXPECT_FALSE(verdict.again);
  }
  const DeliveryVerdict verdict = After({}, DeliveryOutcome::kFailed, 1, 0, 400);
  EXPECT_FALSE(verdict.channel.is_dead);
  EXPECT_FALSE(verdict.again);
  // It has answered: the breaker closes.
  EXPECT_FALSE(After({9, 5, false}, DeliveryOutcome::kFailed, 1, 0, 400).channel.IsOnTrial());
}

TEST(DeliveryRetry, TokensComeBackAndDoNotPileUp) {
  EXPECT_EQ(TokensOf({}, 30, 60 * kSecond, 5), 30);
  EXPECT_EQ(TokensOf({0, 1}, 30, 60 * kSecond, 1 + 2 * kSecond), 1);
  EXPECT_EQ(TokensOf({5, 1}, 30, 60 * kSecond, 1 + 3600 * kSecond), 30);
  // The clock was set back.
  EXPECT_EQ(TokensOf({5, 100 * kSecond}, 30, 60 * kSecond, 1), 5);
}

TEST(MessageId, TheSameOfTheSameAndAnotherOfAnything) {
  const auto make = [](std::uint64_t system, std::string_view a, std::string_view b,
                       std::int64_t n) {
    return TextOf(MessageIdMaker(system, 5).Add(a).Add(b).Add(n).Make());
  };
  EXPECT_EQ(make(1, "ab", "c", 7), make(1, "ab", "c", 7));
  EXPECT_NE(make(1, "ab", "c", 7), make(1, "a", "bc", 7));
  EXPECT_NE(make(1, "ab", "c", 7), make(2, "ab", "c", 7));
  EXPECT_NE(make(1, "ab", "c", 7), make(1, "ab", "c", 8));
  const std::string text = make(1, "ab", "c", 7);
  EXPECT_EQ(text.size(), 36U);
  EXPECT_EQ(text[14], '8');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
}

}  // namespace
}  // namespace ratchet::policy
