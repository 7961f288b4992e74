#include "policy/delivery_retry.h"

#include <algorithm>
#include <cmath>

#include "policy/backoff.h"

namespace ratchet::policy {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// 10, 20, 40, … seconds, up to an hour.
constexpr Backoff kBetweenAttempts{5 * kSecond, 2, 3600 * kSecond, 0};
// What is added at random: up to a quarter. Nothing is taken off, which a receiver that is asked
// too often would not forgive.
constexpr double kSpread = 0.25;
// A receiver may ask for a day.
constexpr std::int64_t kLongestAsked = 86'400 * kSecond;

// So many in a row, and the channel rests: 30 seconds, a minute, … up to ten.
constexpr std::int32_t kBreaksAfter = 5;
constexpr Backoff kBreaks{15 * kSecond, 2, 600 * kSecond, 0};

// Who is not let in, and what is not there any more: so it will be for the next message, too.
bool IsForGood(std::int32_t code) {
  return code == 401 || code == 403 || code == 404 || code == 410;
}

std::int64_t Spread(std::int64_t pause, double unit) {
  return pause + static_cast<std::int64_t>(static_cast<double>(pause) * kSpread * unit);
}

ChannelStanding AfterFailure(const ChannelStanding& before, const EndedDelivery& ended,
                             double unit) {
  ChannelStanding channel = before;
  channel.failures = std::min(before.failures + 1, 1'000'000);
  channel.is_dead =
      before.is_dead || (ended.outcome == DeliveryOutcome::kFailed && IsForGood(ended.code));
  if (channel.failures >= kBreaksAfter) {
    const std::int64_t pause = BackoffDelay(kBreaks, channel.failures - kBreaksAfter + 1, 0);
    channel.rests_until = std::max(channel.rests_until, ended.now + Spread(pause, unit));
  }
  return channel;
}

}  // namespace

bool ChannelStanding::IsOnTrial() const { return failures >= kBreaksAfter; }

DeliveryVerdict AfterDelivery(const ChannelStanding& before, const EndedDelivery& ended,
                              double unit) {
  if (ended.outcome == DeliveryOutcome::kDelivered) {
    return {};
  }
  DeliveryVerdict verdict;
  verdict.channel = AfterFailure(before, ended, unit);
  if (ended.outcome == DeliveryOutcome::kFailed) {
    // A receiver that says no to one message is there, and may take the next one.
    if (!verdict.channel.is_dead) {
      verdict.channel = {std::min(before.failures, kBreaksAfter - 1), 0, false};
    }
    return verdict;
  }
  std::int64_t pause = 0;
  if (ended.retry_in >= 0) {
    // All that goes there has to wait.
    const std::int64_t asked = std::min(ended.retry_in, kLongestAsked);
    pause = Spread(std::max(asked, kSecond), unit);
    verdict.channel.rests_until = std::max(verdict.channel.rests_until, ended.now + asked);
  } else {
    pause = Spread(BackoffDelay(kBetweenAttempts, ended.attempt, 0), unit);
  }
  verdict.again_at = ended.now + pause;
  verdict.again = verdict.again_at < ended.created_at + kLongestDelivery;
  return verdict;
}

double TokensOf(const RateStanding& standing, std::int32_t count, std::int64_t period,
                std::int64_t now) {
  const auto full = static_cast<double>(count);
  if (standing.at == 0) {
    return full;
  }
  const auto since = static_cast<double>(std::max<std::int64_t>(now - standing.at, 0));
  return std::min(full, standing.tokens + since * full / static_cast<double>(period));
}

}  // namespace ratchet::policy
