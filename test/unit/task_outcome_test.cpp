#include "policy/task_outcome.h"

#include <gtest/gtest.h>

namespace ratchet::policy {
namespace {

using Next = TaskVerdict::Next;

constexpr std::int64_t kNow = 700'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000;

TaskVerdict After(const TaskStanding& before, const EndedTask& ended, double unit = 0.5) {
  EndedTask at = ended;
  at.ended_at = kNow;
  TaskRules rules;
  rules.max_attempts = 3;
  rules.max_crashes = 2;
  return AfterAttempt(before, rules, at, unit);
}

TEST(TaskOutcome, Done) {
  const TaskVerdict verdict = After({1, 0, false}, {.end = AttemptEnd::kDone});
  EXPECT_EQ(verdict.next, Next::kCompleted);
  EXPECT_EQ(verdict.standing.attempts, 2);
}

TEST(TaskOutcome, AFailureRestsLongerEachTimeAndIsDeadInTheEnd) {
  TaskVerdict verdict = After({}, {.end = AttemptEnd::kFailed});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, kNow + 120 * kSecond);
  verdict = After(verdict.standing, {.end = AttemptEnd::kFailed});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, kNow + 240 * kSecond);
  verdict = After(verdict.standing, {.end = AttemptEnd::kFailed});
  EXPECT_EQ(verdict.next, Next::kDead);
  EXPECT_EQ(verdict.standing.attempts, 3);
}

TEST(TaskOutcome, WhatItsErrorSays) {
  EXPECT_EQ(After({}, {.end = AttemptEnd::kFailed, .error = RetryClass::kSoon}).run_at,
            kNow + kSecond);
  // The handler's fault: its tasks wait for somebody to mend it.
  const TaskVerdict verdict = After({}, {.end = AttemptEnd::kFailed, .error = RetryClass::kNever});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, kNow + 120 * kSecond);
}

TEST(TaskOutcome, WhenSomebodyKnowsBetter) {
  EXPECT_EQ(After({}, {.end = AttemptEnd::kFailed, .asked = kNow + 5}).run_at, kNow + 5);
  EXPECT_EQ(After({2, 0, false}, {.end = AttemptEnd::kFailed, .asked = kNow + 5}).next,
            Next::kDead);
}

TEST(TaskOutcome, ASnoozeIsNoAttempt) {
  const TaskVerdict verdict = After({2, 1, true}, {.end = AttemptEnd::kSnoozed, .asked = kNow + 7});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, kNow + 7);
  EXPECT_EQ(verdict.standing, (TaskStanding{2, 1, true}));
}

TEST(TaskOutcome, NotDoneChangesNothing) {
  const TaskVerdict verdict = After({2, 1, true}, {.end = AttemptEnd::kNotDone});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, 0);
  EXPECT_EQ(verdict.standing, (TaskStanding{2, 1, true}));
}

TEST(TaskOutcome, DiscardedIsDeadAtOnce) {
  EXPECT_EQ(After({}, {.end = AttemptEnd::kDiscarded}).next, Next::kDead);
}

TEST(TaskOutcome, ACrashOfABatchMakesEachComeAlone) {
  TaskVerdict verdict = After({2, 0, false}, {.end = AttemptEnd::kCrashedTogether});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, 0);
  EXPECT_EQ(verdict.standing, (TaskStanding{2, 0, true}));
  // One that fails in an ordinary way then was not it.
  verdict = After({0, 0, true}, {.end = AttemptEnd::kFailed});
  EXPECT_FALSE(verdict.standing.alone);
}

TEST(TaskOutcome, CrashesAreCountedApart) {
  TaskVerdict verdict = After({1, 0, true}, {.end = AttemptEnd::kCrashedAlone});
  EXPECT_EQ(verdict.next, Next::kAgain);
  EXPECT_EQ(verdict.run_at, kNow + 100'000);
  EXPECT_EQ(verdict.standing, (TaskStanding{1, 1, true}));
  EXPECT_TRUE(After(verdict.standing, {.end = AttemptEnd::kFailed}).standing.alone);
  verdict = After(verdict.standing, {.end = AttemptEnd::kCrashedAlone});
  EXPECT_EQ(verdict.next, Next::kDead);
  EXPECT_EQ(verdict.standing, (TaskStanding{1, 2, true}));
}

TEST(TaskOutcome, FurtherCrashesRestLonger) {
  TaskRules rules;
  rules.max_crashes = 9;
  const EndedTask crash{.end = AttemptEnd::kCrashedAlone, .ended_at = kNow};
  EXPECT_EQ(AfterAttempt({0, 1, true}, rules, crash, 0.5).run_at, kNow + 120 * kSecond);
  EXPECT_EQ(AfterAttempt({0, 2, true}, rules, crash, 0.5).run_at, kNow + 240 * kSecond);
}

TEST(TaskOutcome, NoOverflow) {
  TaskRules rules;
  rules.backoff.base = INT64_MAX;
  rules.backoff.cap = INT64_MAX / 2;
  const EndedTask failed{.end = AttemptEnd::kFailed, .ended_at = INT64_MAX - 5};
  EXPECT_EQ(AfterAttempt({}, rules, failed, 0.5).run_at, INT64_MAX);
}

}  // namespace
}  // namespace ratchet::policy
