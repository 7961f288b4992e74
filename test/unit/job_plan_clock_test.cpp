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
  EXPECT_EQ(world.runs.size(), before + 1);
}

TEST(ForgetTheFuture, AJobOfTheFutureKeepsItsGrid) {
  const TzifZone utc("UTC");
  World world("7 hours", utc, Utc("2030-03-01 00:00"));
  world.SetClock(Utc("2026-02-25 00:00"));
  world.RunUntil(Utc("2026-02-26 00:00"), kTakesAMoment, kNeverFails);
  ASSERT_GE(world.runs.size(), 3U);
  EXPECT_EQ((Utc("2030-03-01 00:00") - world.runs[0].scheduled_at) % (7 * kHour), 0);
}

TEST(DueAfterStepBack, KeepsTheWaitButNotTheTime) {
  const Instant now = Utc("2026-03-01 00:00");
  EXPECT_EQ(DueAfterStepBack(now + kDay + kMinute, now + kDay, now, false), now + kMinute);
  EXPECT_EQ(DueAfterStepBack(now + kDay + kMinute, now + kDay, now, true), now + kDay + kMinute);
  EXPECT_EQ(DueAfterStepBack(now + kMinute, now - kDay, now, false), now + kMinute);
}

}  // namespace
}  // namespace ratchet::policy
