#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "policy/after_run.h"
#include "policy/backoff.h"
#include "policy/idle_pause.h"
#include "policy/misfire.h"
#include "policy/rotation.h"
#include "policy/run.h"
#include "policy/worker_share.h"

namespace ratchet::policy {
namespace {

constexpr std::int64_t kMinute = 60'000'000;

TEST(BackoffDelay, DoublesUpToAnHourByDefault) {
  const Backoff backoff;
  const std::vector<std::int64_t> minutes = {2, 4, 8, 16, 32, 60, 60, 60};
  for (std::size_t i = 0; i < minutes.size(); i++) {
    EXPECT_EQ(BackoffDelay(backoff, static_cast<int>(i) + 1, 0.5), minutes[i] * kMinute)
        << "after failure " << i + 1;
  }
}

TEST(BackoffDelay, NeverOverflowsItsCap) {
  Backoff backoff;
  backoff.factor = 1e300;
  EXPECT_EQ(BackoffDelay(backoff, 1000, 0.999), backoff.cap);
  backoff.base = 0;
  EXPECT_EQ(BackoffDelay(backoff, 1000, 0.5), backoff.cap);  // zero times infinity
  backoff.factor = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(BackoffDelay(backoff, 1, 0.5), backoff.cap);
}

TEST(BackoffDelay, JitterStaysWithinItsShare) {
  Backoff backoff;
  backoff.jitter = 0.25;
  for (double unit = 0; unit < 1; unit += 0.01) {
    const std::int64_t delay = BackoffDelay(backoff, 1, unit);
    EXPECT_GE(delay, 90 * kMinute / 60);
    EXPECT_LE(delay, 150 * kMinute / 60);
  }
  EXPECT_NE(BackoffDelay(backoff, 1, 0.1), BackoffDelay(backoff, 1, 0.9));
}

TEST(AfterRun, SuccessEndsBackOff) {
  const Standing failing{3, 1, 77};
  const Verdict verdict = AfterRun(failing, {}, {RunStatus::kSucceeded, 2, true, false, 100}, 0.5);
  EXPECT_EQ(verdict.standing, Standing{});
  EXPECT_FALSE(verdict.again);
}

TEST(AfterRun, FailureRestsTheJob) {
  Standing standing;
  const std::vector<std::int64_t> minutes = {2, 4, 8, 16, 32, 60};
  for (std::size_t i = 0; i < minutes.size(); i++) {
    const Verdict verdict =
        AfterRun(standing, {}, {RunStatus::kFailed, 1, false, false, 1000}, 0.5);
    EXPECT_EQ(verdict.standing.consecutive_failures, static_cast<int>(i) + 1);
    EXPECT_EQ(verdict.standing.backoff_until, 1000 + minutes[i] * kMinute);
    EXPECT_FALSE(verdict.again) << "max_attempts is 1";
    standing = verdict.standing;
  }
}

TEST(AfterRun, TimedOutIsAFailure) {
  const Verdict verdict = AfterRun({}, {}, {RunStatus::kTimedOut, 1, false, false, 0}, 0.5);
  EXPECT_EQ(verdict.standing.consecutive_failures, 1);
}

TEST(AfterRun, TheOccurrenceHasMaxAttempts) {
  RetryRules rules;
  rules.max_attempts = 3;
  const Verdict first = AfterRun({}, rules, {RunStatus::kFailed, 1, false, false, 0}, 0.5);
  EXPECT_TRUE(first.again);
  EXPECT_EQ(first.next_attempt, 2);
  EXPECT_EQ(first.again_at, 2 * kMinute);
  EXPECT_EQ(first.cause, Cause::kRetry);
  const Verdict third =
      AfterRun(first.standing, rules, {RunStatus::kFailed, 3, false, false, 0}, 0.5);
  EXPECT_FALSE(third.again);
}

TEST(AfterRun, CancelAndDryRunChangeNothing) {
  const Standing standing{2, 0, 55};
  EXPECT_EQ(AfterRun(standing, {}, {RunStatus::kCanceled, 1, true, false, 9}, 0.5).standing,
            standing);
  EXPECT_EQ(AfterRun(standing, {}, {RunStatus::kFailed, 1, true, true, 9}, 0.5).standing, standing);
  EXPECT_EQ(AfterRun(standing, {}, {RunStatus::kSucceeded, 1, true, true, 9}, 0.5).standing,
            standing);
}

TEST(AfterRun, FirstCrashIsTakenUpAtOnceAndTheSecondAfterARest) {
  const RetryRules rules;
  const Verdict first = AfterRun({}, rules, {RunStatus::kCrashed, 1, false, false, 500}, 0.5);
  EXPECT_TRUE(first.again);
  EXPECT_EQ(first.again_at, 500 + kCrashPause);
  EXPECT_EQ(first.standing.backoff_until, 0);
  const Verdict second =
      AfterRun(first.standing, rules, {RunStatus::kCrashed, 2, false, false, 900}, 0.5);
  EXPECT_TRUE(second.again);
  EXPECT_EQ(second.again_at, 900 + kCrashPause + 2 * kMinute);
  EXPECT_EQ(second.standing.crash_streak, 2);
  const Verdict third =
      AfterRun(second.standing, rules, {RunStatus::kCrashed, 3, false, false, 900}, 0.5);
  EXPECT_EQ(third.again_at, 900 + kCrashPause + 4 * kMinute);
}

TEST(AfterRun, ProgressForgivesEarlierCrashes) {
  const Standing crashed{1, 1, 0};
  const Verdict verdict = AfterRun(crashed, {}, {RunStatus::kCrashed, 2, true, false, 700}, 0.5);
  EXPECT_EQ(verdict.again_at, 700 + kCrashPause);
}

TEST(AfterRun, FailedItemsAreTriedAgainWithoutHoldingUpTheJob) {
  RetryRules rules;
  rules.max_attempts = 3;
  EndedAttempt ended;
  ended.finished_at = 1000;
  ended.left_items = true;
  const Verdict first = AfterRun({2, 1, 55}, rules, ended, 0.5);
  EXPECT_EQ(first.standing, Standing{}) << "the run succeeded";
  EXPECT_TRUE(first.again);
  EXPECT_TRUE(first.items_only);
  EXPECT_EQ(first.cause, Cause::kRetry);
  EXPECT_EQ(first.next_attempt, 2);
  EXPECT_EQ(first.again_at, 1000 + 2 * kMinute);
  ended.attempt = 2;
  ended.work = Work::kItems;
  const Verdict second = AfterRun({2, 1, 55}, rules, ended, 0.5);
  EXPECT_EQ(second.standing, (Standing{2, 1, 55})) << "it is not the schedule's run";
  EXPECT_TRUE(second.again);
  EXPECT_TRUE(second.items_only);
  EXPECT_EQ(second.again_at, 1000 + 4 * kMinute);
  ended.attempt = 3;
  EXPECT_FALSE(AfterRun({}, rules, ended, 0.5).again) << "the budget is spent";
  ended.attempt = 2;
  ended.left_items = false;
  EXPECT_FALSE(AfterRun({}, rules, ended, 0.5).again) << "all of them are done";
  ended.left_items = true;
  ended.dry_run = true;
  EXPECT_FALSE(AfterRun({}, rules, ended, 0.5).again);
}

TEST(AfterRun, ARunOfFailedItemsThatFailsIsTriedAgain) {
  RetryRules rules;
  rules.max_attempts = 3;
  EndedAttempt ended;
  ended.status = RunStatus::kFailed;
  ended.attempt = 2;
  ended.work = Work::kItems;
  const Verdict verdict = AfterRun({}, rules, ended, 0.5);
  EXPECT_EQ(verdict.standing, Standing{});
  EXPECT_TRUE(verdict.again);
  EXPECT_FALSE(verdict.items_only) << "it goes on where it was";
  EXPECT_EQ(verdict.again_at, 4 * kMinute);
  ended.attempt = 3;
  EXPECT_FALSE(AfterRun({}, rules, ended, 0.5).again);
}

TEST(AfterRun, AReplayChangesNothingAndIsTakenUpAfterACrashOnly) {
  RetryRules rules;
  rules.max_attempts = 9;
  const Standing standing{3, 2, 77};
  EndedAttempt ended;
  ended.work = Work::kReplay;
  ended.left_items = true;
  for (const RunStatus status : {RunStatus::kSucceeded, RunStatus::kFailed, RunStatus::kTimedOut,
                                 RunStatus::kCanceled, RunStatus::kCrashed, RunStatus::kPartial}) {
    ended.status = status;
    const Verdict verdict = AfterRun(standing, rules, ended, 0.5);
    EXPECT_EQ(verdict.standing, standing);
    EXPECT_EQ(verdict.again, status == RunStatus::kCrashed) << Name(status);
  }
  ended.status = RunStatus::kPartial;
  ended.progressed = true;
  EXPECT_TRUE(AfterRun(standing, rules, ended, 0.5).again);
  ended.status = RunStatus::kCrashed;
  ended.progressed = false;
  ended.attempt = 2;
  EXPECT_EQ(AfterRun(standing, rules, ended, 0.5).again_at, kCrashPause + 2 * kMinute);
  ended.progressed = true;
  EXPECT_EQ(AfterRun(standing, rules, ended, 0.5).again_at, kCrashPause);
  ended.dry_run = true;
  EXPECT_FALSE(AfterRun(standing, rules, ended, 0.5).again);
  ended.dry_run = false;
  rules.resume_after_crash = false;
  EXPECT_FALSE(AfterRun(standing, rules, ended, 0.5).again);
}

TEST(AfterRun, OnCrashNextWaits) {
  RetryRules rules;
  rules.resume_after_crash = false;
  EXPECT_FALSE(AfterRun({}, rules, {RunStatus::kCrashed, 1, false, false, 0}, 0.5).again);
}

TEST(AfterRun, PartialGoesOnWhileItMakesProgress) {
  const std::int64_t end = 5 * kPartialPause;
  const Verdict verdict = AfterRun({}, {}, {RunStatus::kPartial, 1, true, false, end, 7}, 0.5);
  EXPECT_TRUE(verdict.again);
  EXPECT_EQ(verdict.again_at, end);
  EXPECT_EQ(verdict.cause, Cause::kCatchup);
  EXPECT_FALSE(AfterRun({}, {}, {RunStatus::kPartial, 1, false, false, 42}, 0.5).again);
}

TEST(AfterRun, BatchesThatWereKeptFromAnythingGoOnAfterARest) {
  EndedAttempt ended{RunStatus::kPartial, 1, false, false, 42};
  ended.batches = true;
  for (const Work work : {Work::kOccurrence, Work::kItems, Work::kReplay}) {
    ended.work = work;
    const Verdict verdict = AfterRun({}, {}, ended, 0.5);
    EXPECT_TRUE(verdict.again);
    EXPECT_EQ(verdict.again_at, 42 + BackoffDelay({}, 1, 0.5));
    EXPECT_EQ(verdict.cause, Cause::kCatchup);
  }
}

TEST(AfterRun, APlannedStopIsNoFailureAndGoesOn) {
  const Standing standing{3, 2, 77};
  EndedAttempt ended{RunStatus::kCanceled, 2, false, false, 42};
  ended.by_stop = true;
  for (const Work work : {Work::kOccurrence, Work::kItems, Work::kReplay}) {
    ended.work = work;
    for (const bool resumes : {true, false}) {
      RetryRules rules;
      rules.resume_after_crash = resumes;
      ended.status = RunStatus::kCanceled;
      const Verdict canceled = AfterRun(standing, rules, ended, 0.5);
      EXPECT_EQ(canceled.standing, standing);
      EXPECT_EQ(canceled.again, resumes);
      EXPECT_EQ(canceled.again_at, 42 + kCrashPause) << "without a rest";
      EXPECT_EQ(canceled.next_attempt, 2) << "it is the same attempt";
      EXPECT_EQ(canceled.cause, Cause::kRetry);
      ended.status = RunStatus::kPartial;
      const Verdict partial = AfterRun(standing, rules, ended, 0.5);
      EXPECT_EQ(partial.standing, standing);
      EXPECT_TRUE(partial.again) << "also if it had done nothing yet";
      EXPECT_EQ(partial.again_at, 42 + kCrashPause);
      EXPECT_EQ(partial.cause, Cause::kCatchup);
    }
  }
  ended.dry_run = true;
  EXPECT_FALSE(AfterRun(standing, {}, ended, 0.5).again);
}

TEST(AfterRun, ShortPartialRunsAreSpacedOut) {
  const Verdict verdict = AfterRun({}, {}, {RunStatus::kPartial, 1, true, false, 42, 40}, 0.5);
  EXPECT_EQ(verdict.again_at, 40 + kPartialPause);
}

TEST(DecideMisfire, NothingDueStartsNothing) {
  EXPECT_EQ(DecideMisfire(MisfirePolicy::kOnce, 10, {0, 0, 100}).run, Pick::kNone);
}

TEST(DecideMisfire, OneInTimeRunsUnderEveryPolicy) {
  for (const auto policy : {MisfirePolicy::kOnce, MisfirePolicy::kSkip, MisfirePolicy::kAll}) {
    const MisfireDecision decision = DecideMisfire(policy, 10, {1, 1000, 1500});
    EXPECT_NE(decision.run, Pick::kNone);
    EXPECT_EQ(decision.skip, 0);
    EXPECT_FALSE(decision.catchup);
  }
}

TEST(DecideMisfire, AfterAnOutage) {
  const DueOccurrences due{5, 0, 10 * kMinute};
  const MisfireDecision once = DecideMisfire(MisfirePolicy::kOnce, 100, due);
  EXPECT_EQ(once.run, Pick::kLast);
  EXPECT_EQ(once.skip, 4);
  EXPECT_TRUE(once.catchup);
  const MisfireDecision skip = DecideMisfire(MisfirePolicy::kSkip, 100, due);
  EXPECT_EQ(skip.run, Pick::kNone);
  EXPECT_EQ(skip.skip, 5);
  const MisfireDecision all = DecideMisfire(MisfirePolicy::kAll, 100, due);
  EXPECT_EQ(all.run, Pick::kFirst);
  EXPECT_EQ(all.skip, 0);
  EXPECT_TRUE(all.catchup);
}

TEST(DecideMisfire, AllIsLimited) {
  const MisfireDecision all = DecideMisfire(MisfirePolicy::kAll, 3, {10, 0, 10 * kMinute});
  EXPECT_EQ(all.skip, 7);
  EXPECT_EQ(all.run, Pick::kFirst);
}

TEST(DecideMisfire, SkipRunsAnOccurrenceThatIsNotLate) {
  const MisfireDecision skip =
      DecideMisfire(MisfirePolicy::kSkip, 3, {4, 10 * kMinute, 10 * kMinute});
  EXPECT_EQ(skip.run, Pick::kLast);
  EXPECT_EQ(skip.skip, 3);
}

TEST(MostWorkersOfRole, LeavesOneToOthersUnlessItIsSaid) {
  EXPECT_EQ(MostWorkersOfRole(0, 4), 3);
  EXPECT_EQ(MostWorkersOfRole(0, 2), 1);
  EXPECT_EQ(MostWorkersOfRole(0, 1), kNoBound) << "with a single worker it is everybody's in turn";
  EXPECT_EQ(MostWorkersOfRole(2, 4), 2);
  EXPECT_EQ(MostWorkersOfRole(4, 4), kNoBound)
      << "such a role waits for a worker, and not for its share";
  EXPECT_EQ(MostWorkersOfRole(1000, 4), kNoBound);
}

TEST(ShouldGiveWay, OnlyAfterATurn) {
  EXPECT_FALSE(ShouldGiveWay(1, 0, kTurn - 1));
  EXPECT_TRUE(ShouldGiveWay(1, 0, kTurn));
  EXPECT_FALSE(ShouldGiveWay(2, 1, 100 * kLevelTurn)) << "swapping one for one helps nobody";
  EXPECT_TRUE(ShouldGiveWay(4, 1, kLevelTurn));
  EXPECT_FALSE(ShouldGiveWay(4, 1, kLevelTurn - 1));
}

TEST(WhoRests, TheOneWithTheMostDistantWork) {
  const std::int64_t now = 100 * kMinute;
  EXPECT_EQ(WhoRests({}, now), 0U);
  EXPECT_EQ(WhoRests({{7, now, now + kMinute}}, now), 0U) << "it has only just started";
  EXPECT_EQ(WhoRests({{7, 0, now + kMinute}, {8, 0, now + 2 * kMinute}, {9, 0, now}}, now), 8U);
  EXPECT_EQ(WhoRests({{7, 20, 0}, {8, 10, 0}}, now), 8U);
}

TEST(WhoRests, OfTheOwnerWhoHasTheMost) {
  const std::int64_t now = 100 * kMinute;
  EXPECT_EQ(WhoRests({{7, 0, now + 1, 1}, {8, 1, 0, 2}, {9, 2, 0, 2}}, now), 8U)
      << "one that is due in a moment is not made to wait by who has more";
  EXPECT_EQ(WhoRests({{7, 0, now + kMinute, 1}, {8, 1, 0, 2}, {9, 2, 0, 2}}, now), 7U)
      << "but who has nothing to do for long is not missed";
  EXPECT_EQ(WhoRests({{7, 0, 0, 1}, {8, now, 0, 2}, {9, now, 0, 2}}, now), 0U);
  EXPECT_EQ(WhoRests({{7, 0, 0, 1}, {8, 1, 0, 2}}, now), 7U);
}

TEST(RunWords, RoundTrip) {
  for (int i = 0; i <= static_cast<int>(RunStatus::kCrashed); i++) {
    const auto status = static_cast<RunStatus>(i);
    EXPECT_EQ(RunStatusOf(Name(status)), status);
  }
  for (int i = 0; i <= static_cast<int>(Cause::kForeground); i++) {
    const auto cause = static_cast<Cause>(i);
    EXPECT_EQ(CauseOf(Name(cause)), cause);
  }
  EXPECT_EQ(Name(RunStatus::kTimedOut), "timed_out");
}

TEST(IdlePause, DoublesFromATenthOfASecondToTenSeconds) {
  const std::vector<std::int64_t> pauses = {0,       100000,  200000,  400000,   800000,
                                            1600000, 3200000, 6400000, 10000000, 10000000};
  for (std::size_t empty = 0; empty < pauses.size(); empty++) {
    EXPECT_EQ(IdlePause(static_cast<std::int64_t>(empty)), pauses[empty]) << empty;
  }
  EXPECT_EQ(IdlePause(std::numeric_limits<std::int64_t>::max()), kLongestIdlePause);
  EXPECT_EQ(IdlePause(-1), 0);
}

}  // namespace
}  // namespace ratchet::policy
