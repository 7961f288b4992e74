// Jobs whose clock is set back.
#include <gtest/gtest.h>

#include "job_world.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::policy {
namespace {

// ---- Clocks that are set back

TEST(ForgetTheFuture, WhatGoesByElapsedTimeGoesOn) {
  const TzifZone utc("UTC");
  World world("*/10 * * * *", utc, Utc("2026-03-01 00:00"));
  world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
  const std::size_t before = world.runs.size();
  world.SetClock(Utc("2026-03-01 11:00"));
  world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), before + 6);
}

TEST(ForgetTheFuture, AnHourOnTheWallIsNotRepeated) {
  const TzifZone utc("UTC");
  World world("30 11 * * *", utc, Utc("2026-03-01 00:00"));
  world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
  world.SetClock(Utc("2026-03-01 11:00"));
  world.RunUntil(Utc("2026-03-02 12:00"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), 2U);
}

TEST(ForgetTheFuture, AClockThatWasYearsAheadDoesNotStopTheJob) {
  const TzifZone utc("UTC");
  World world("30 11 * * *", utc, Utc("2026-03-01 00:00"));
  world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
  world.SetClock(Utc("2038-01-19 03:14"));
  world.RunUntil(Utc("2038-01-19 11:31"), kTakesAMoment, [] { return true; });
  EXPECT_GT(world.plan.backoff_until, world.now);
  world.SetClock(Utc("2026-03-01 13:00"));
  world.RunUntil(Utc("2026-03-04 12:00"), kTakesAMoment, kNeverFails);
  // One in 2026, a late one and one in time in 2038, then each day.
  ASSERT_EQ(world.runs.size(), 1U + 2 + 3);
  EXPECT_EQ(world.runs.back().scheduled_at, Utc("2026-03-04 11:30"));
}

TEST(ForgetTheFuture, WhatComesOnceDoesNotComeTwice) {
  const TzifZone utc("UTC");
  for (const char* once : {"at 2026-03-01 11:30", "at 2026-03-01 11:30Z", "@startup"}) {
    World world(once, utc, Utc("2026-03-01 00:00"));
    world.plan.server_start = Utc("2026-03-01 11:30");
    world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.runs.size(), 1U);
    world.SetClock(Utc("2026-02-28 12:00"));
    world.RunUntil(Utc("2026-03-02 12:00"), kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.runs.size(), 1U) << once;
  }
}

TEST(ForgetTheFuture, AfterCompletionGoesOnFromNow) {
  const TzifZone utc("UTC");
  World world("1 hour after completion", utc, Utc("2026-03-01 00:00"));
  world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
  const std::size_t before = world.runs.size();
  world.SetClock(Utc("2026-02-25 00:00"));
  world.RunUntil(Utc("2026-02-25 01:30"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), before + 2);  // after the rest of its hour, and an hour later
}

TEST(ForgetTheFuture, AJobOfTheFutureKeepsItsGrid) {
  const TzifZone utc("UTC");
  World world("7 hours", utc, Utc("2030-03-01 00:00"));
  world.SetClock(Utc("2026-02-25 00:00"));
  world.RunUntil(Utc("2026-02-26 00:00"), kTakesAMoment, kNeverFails);
  ASSERT_GE(world.runs.size(), 3U);
  EXPECT_EQ((Utc("2030-03-01 00:00") - world.runs[0].scheduled_at) % (7 * kHour), 0);
}

// As long as the clock is behind the time of the definition, each scheduler finds it in the future.
TEST(ForgetTheFuture, IsNotDoneFromNowOnByEachScheduler) {
  const TzifZone utc("UTC");
  for (const char* schedule : {"30 minutes", "30 minutes after completion", "*/30 * * * *"}) {
    World world(schedule, utc, Utc("2026-03-01 12:00"));
    world.SetClock(Utc("2026-03-01 11:00"));
    const Instant first = world.plan.NextOccurrence();
    JobPlan later = world.plan;
    later.anchor = Utc("2026-03-01 12:00");
    ForgetTheFuture(&later, Utc("2026-03-01 11:20"), kHour, true);
    EXPECT_NEAR(later.NextOccurrence(), first, 1) << schedule;
    later.anchor = Utc("2026-03-01 12:00");
    ForgetTheFuture(&later, Utc("2026-03-01 11:40"), kHour, true);
    EXPECT_NEAR(later.NextOccurrence(), first, 1) << schedule;
  }
}

TEST(AccountedFor, WhatIsKnownIsNotForgottenForATimeToCome) {
  EXPECT_EQ(AccountedFor(5, 7, 8), 7);
  EXPECT_EQ(AccountedFor(8, 7, 9), 8);
  EXPECT_EQ(AccountedFor(5, 7, 6), 5);
  EXPECT_EQ(AccountedFor(0, 7, 6), 7);
}

TEST(ForgetTheFuture, SwingsMakeNothingRunTwice) {
  const TzifZone utc("UTC");
  for (const char* schedule : {"1 second", "2 seconds", "* * * * *", "* * * * * *"}) {
    World world(schedule, utc, Utc("2026-03-01 00:00"));
    const auto quick = [] { return kSecond / 10; };
    for (int i = 0; i < 60; i++) {
      world.RunUntil(world.now + 3 * kSecond, quick, kNeverFails);
      world.SetClock(world.now + (i % 2 == 0 ? -2 : 2) * kSecond);
    }
    std::vector<Instant> ran;
    for (const Attempt& run : world.runs) {
      ran.push_back(run.scheduled_at);
    }
    EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end())) << schedule;
    EXPECT_EQ(std::adjacent_find(ran.begin(), ran.end()), ran.end()) << schedule << ": twice";
    EXPECT_GE(ran.size(), schedule[0] == '*' && schedule[9] == '\0' ? 2U : 50U) << schedule;
  }
}

TEST(ForgetTheFuture, GoesOnAfterAboutItsInterval) {
  const TzifZone utc("UTC");
  struct Case {
    const char* schedule;
    std::int64_t step;
  };
  for (const Case& of :
       {Case{"30 seconds", 30 * kSecond}, Case{"10 minutes", 10 * kMinute}, Case{"1 hour", kHour},
        Case{"12 hours", 12 * kHour}, Case{"1 hour after completion", kHour}}) {
    for (const std::int64_t back :
         {7 * kSecond, 59 * kSecond, 10 * kMinute, 59 * kMinute, 5 * kHour, 40 * kDay}) {
      for (const bool at_work : {false, true}) {
        World world(of.schedule, utc, Utc("2026-03-01 00:00"));
        const auto takes = [&] { return at_work ? of.step / 2 : kSecond; };
        world.RunUntil(Utc("2026-03-03 12:00") + of.step / 4, takes, kNeverFails);
        const std::size_t before = world.runs.size();
        const Instant last = world.runs.back().started_at;
        const std::int64_t rested = world.now - last;
        world.SetClock(world.now - back);
        const Instant set = world.now;
        world.RunUntil(set + 3 * of.step, takes, kNeverFails);
        ASSERT_GT(world.runs.size(), before) << of.schedule << " -" << back / kSecond;
        const std::int64_t between = rested + world.runs[before].started_at - set;
        EXPECT_GE(between, of.step / 2) << of.schedule << " -" << back / kSecond;
        EXPECT_LE(between, 2 * of.step) << of.schedule << " -" << back / kSecond;
      }
    }
  }
}

// The clock is behind where the job is taken up: another machine, or one that was set while it was
// down.
TEST(ForgetTheFuture, IsTakenUpByAClockThatIsBehind) {
  const TzifZone utc("UTC");
  for (const std::int64_t back : {kMinute, kHour, 30 * kDay}) {
    for (const char* schedule : {"30 seconds", "@continuous", "10 seconds after completion"}) {
      World world(schedule, utc, Utc("2026-03-01 00:00"));
      world.RunUntil(Utc("2026-03-01 12:00"), kTakesAMoment, kNeverFails);
      const std::size_t before = world.runs.size();
      world.Outage(-back);
      world.RunUntil(world.now + kMinute, kTakesAMoment, kNeverFails);
      EXPECT_GE(world.runs.size(), before + 1) << schedule << " -" << back / kSecond;
    }
  }
}

TEST(ForgetTheFuture, AnotherStartIsOneToo) {
  const TzifZone utc("UTC");
  World world("@startup", utc, Utc("2026-03-01 00:00"));
  for (int i = 0; i < 3; i++) {
    world.RunUntil(world.now + kHour, kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.runs.size(), static_cast<std::size_t>(i));
    world.Outage(-kDay);
    world.RunUntil(world.now + kHour, kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.runs.size(), static_cast<std::size_t>(i + 1));
  }
}

TEST(MoveWithClock, ARestLastsAsLongAsItWould) {
  const TzifZone utc("UTC");
  for (const std::int64_t by : {-40 * kDay, -kMinute, 2 * kHour, 3650 * kDay}) {
    World world("10 minutes", utc, Utc("2026-03-01 00:00"));
    world.rules.backoff = {kHour, 1.0, kHour, 0.0};
    world.RunUntil(Utc("2026-03-01 00:10"), kTakesAMoment, kNeverFails);
    bool fails = true;
    world.RunUntil(Utc("2026-03-01 00:11"), kTakesAMoment, [&] { return fails; });
    ASSERT_GT(world.plan.backoff_until, world.now);
    const std::int64_t rest = world.plan.backoff_until - world.now;
    world.SetClock(world.now + by);
    EXPECT_EQ(world.plan.backoff_until - world.now, rest);
    EXPECT_LE(world.plan.last_finished, world.now);
  }
}

TEST(MoveWithClock, WhatWasMissedByAJumpIsCaughtUpOnce) {
  const TzifZone utc("UTC");
  for (const std::int64_t by : {2 * kHour, 40 * kDay, 3650 * kDay}) {
    World world("30 minutes", utc, Utc("2026-03-01 00:00"));
    world.RunUntil(Utc("2026-03-01 12:10"), kTakesAMoment, kNeverFails);
    const std::size_t before = world.runs.size();
    world.SetClock(world.now + by);
    world.RunUntil(world.now + 10 * kMinute, kTakesAMoment, kNeverFails);
    ASSERT_EQ(world.runs.size(), before + 1);
    EXPECT_TRUE(world.runs.back().catchup);
    ExpectAccountedFor(world, Utc("2026-03-01 00:00"), "forward");
  }
}

TEST(DueAfterStepBack, KeepsTheWaitButNotTheTime) {
  const Instant now = Utc("2026-03-01 00:00");
  EXPECT_EQ(DueAfterStepBack(now + kDay + kMinute, now + kDay, now, false), now + kMinute);
  EXPECT_EQ(DueAfterStepBack(now + kDay + kMinute, now + kDay, now, true), now + kDay + kMinute);
  EXPECT_EQ(DueAfterStepBack(now + kMinute, now - kDay, now, false), now + kMinute);
}

}  // namespace
}  // namespace ratchet::policy
