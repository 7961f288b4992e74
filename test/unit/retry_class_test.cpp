#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "policy/after_run.h"
#include "policy/retry_class.h"

namespace ratchet::policy {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

TEST(RetryClass, BySqlstate) {
  for (const char* sqlstate :
       {"40001", "40P01", "55P03", "08000", "08006", "53100", "53300", "57P01", "57P02", "57P05"}) {
    EXPECT_EQ(RetryClassOf(sqlstate), RetryClass::kSoon) << sqlstate;
  }
  for (const char* sqlstate : {"42601", "42501", "42P01", "42883"}) {
    EXPECT_EQ(RetryClassOf(sqlstate), RetryClass::kNever) << sqlstate;
  }
  for (const char* sqlstate : {"", "22012", "23505", "40002", "55000", "57014", "P0001", "XX000"}) {
    EXPECT_EQ(RetryClassOf(sqlstate), RetryClass::kBackOff) << sqlstate;
  }
}

TEST(RetryClass, SoonGrowsToHalfAMinute) {
  const std::vector<std::int64_t> seconds = {1, 2, 4, 8, 16, 30, 30};
  for (int attempt = 1; attempt <= 7; attempt++) {
    const std::int64_t delay = seconds[static_cast<std::size_t>(attempt - 1)] * kSecond;
    EXPECT_EQ(SoonDelay(attempt, 0.5), delay);
    EXPECT_EQ(SoonDelay(attempt, 0), delay * 3 / 4);
    EXPECT_LE(SoonDelay(attempt, 0.999), delay * 5 / 4);
  }
  EXPECT_EQ(SoonDelay(1'000'000, 0.5), 30 * kSecond);
}

EndedAttempt Failed(std::int32_t attempt, RetryClass error, Work work = Work::kOccurrence) {
  EndedAttempt ended;
  ended.status = RunStatus::kFailed;
  ended.attempt = attempt;
  ended.finished_at = 1000 * kSecond;
  ended.work = work;
  ended.error = error;
  return ended;
}

RetryRules Attempts(std::int32_t max_attempts) {
  RetryRules rules;
  rules.max_attempts = max_attempts;
  return rules;
}

TEST(AfterRun, AnErrorOfTheMomentIsTriedAgainSoon) {
  const Verdict verdict = AfterRun({}, Attempts(3), Failed(2, RetryClass::kSoon), 0.5);
  EXPECT_TRUE(verdict.again);
  EXPECT_EQ(verdict.again_at, 1002 * kSecond);
  EXPECT_EQ(verdict.next_attempt, 3);
  // The schedule does not come in between.
  EXPECT_EQ(verdict.standing.backoff_until, verdict.again_at);
  EXPECT_EQ(verdict.standing.consecutive_failures, 1);
}

TEST(AfterRun, AnErrorOfTheMomentRestsTheJobOnceItsAttemptsAreUsedUp) {
  const Verdict verdict = AfterRun({2, 0, 0}, Attempts(3), Failed(3, RetryClass::kSoon), 0.5);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.standing.backoff_until, (1000 + 8 * 60) * kSecond);
}

TEST(AfterRun, SoonIsNoLaterThanTheJobsOwnRest) {
  RetryRules rules = Attempts(2);
  rules.backoff.base = 1000;
  const Verdict verdict = AfterRun({}, rules, Failed(1, RetryClass::kSoon), 0.5);
  EXPECT_EQ(verdict.again_at, 1000 * kSecond + 2000);
}

TEST(AfterRun, AnErrorThatWouldComeAgainIsNotTriedAgain) {
  const Verdict verdict = AfterRun({}, Attempts(5), Failed(1, RetryClass::kNever), 0.5);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.standing.backoff_until, (1000 + 2 * 60) * kSecond);
  EXPECT_FALSE(AfterRun({}, Attempts(5), Failed(1, RetryClass::kNever, Work::kItems), 0.5).again);
}

TEST(AfterRun, FailedItemsFollowTheirErrorToo) {
  const Verdict verdict =
      AfterRun({4, 0, 7}, Attempts(5), Failed(1, RetryClass::kSoon, Work::kItems), 0.5);
  EXPECT_TRUE(verdict.again);
  EXPECT_EQ(verdict.again_at, 1001 * kSecond);
  EXPECT_EQ(verdict.standing, (Standing{4, 0, 7}));
}

}  // namespace
}  // namespace ratchet::policy
