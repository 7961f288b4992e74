// Jobs with an active window, and with days that are left out.
#include <gtest/gtest.h>

#include "job_world.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::policy {
namespace {

// ---- Active windows and days that are left out

TEST(JobPlan, StartsOnlyInsideOfItsWindow) {
  const TzifZone berlin("Europe/Berlin");
  const calendar::ActiveWindow nights = calendar::ActiveWindow::Parse("Mon-Fri 22:00-06:00");
  const Instant since = Utc("2026-03-20 12:00");  // a Friday, before the clock is set forward
  World world("*/30 * * * *", berlin, since);
  world.plan.window = &nights;
  world.RunUntil(Utc("2026-04-20 12:00"), kTakesAMoment, kNeverFails);
  for (const Attempt& run : world.runs) {
    EXPECT_TRUE(nights.IsOpen(run.started_at, berlin)) << calendar::UtcText(run.started_at);
    EXPECT_EQ(run.started_at, run.scheduled_at);
  }
  // The clock is set forward in a night that does not belong to the window.
  EXPECT_EQ(world.runs.size(), 21U * 16);
  ExpectAccountedFor(world, since, "window");
  EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 0);
  EXPECT_GT(CountSkipped(world, SkipReason::kClosed), 0);
  // One look at each end of each run and no more: the days cost nothing.
  EXPECT_LE(world.passes, 2 * static_cast<int>(world.runs.size()) + 2);
}

TEST(JobPlan, WhatWasMissedInsideOfTheWindowWaitsForTheNextOpening) {
  const TzifZone utc("UTC");
  const calendar::ActiveWindow nights = calendar::ActiveWindow::Parse("22:00-06:00");
  for (const MisfirePolicy misfire :
       {MisfirePolicy::kOnce, MisfirePolicy::kSkip, MisfirePolicy::kAll}) {
    const Instant since = Utc("2026-03-01 12:30");
    World world("0 * * * *", utc, since);
    world.plan.window = &nights;
    world.plan.misfire = misfire;
    world.RunUntil(Utc("2026-03-02 01:30"), kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.runs.size(), 4U);
    world.Outage(8 * kHour);  // until 09:30: 02:00 to 05:00 were missed
    world.RunUntil(Utc("2026-03-02 21:59"), kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.runs.size(), 4U);
    world.RunUntil(Utc("2026-03-02 22:59"), kTakesAMoment, kNeverFails);
    // At 22:00 the next one is due as well: with 'once' it is the one that runs.
    EXPECT_EQ(world.runs.size(), misfire == MisfirePolicy::kAll ? 9U : 5U);
    EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), misfire == MisfirePolicy::kAll ? 0 : 4);
    EXPECT_EQ(CountSkipped(world, SkipReason::kClosed), 9 + 16);
  }
}

TEST(JobPlan, AWindowThatNeverMeetsTheScheduleEndsTheSearch) {
  const TzifZone berlin("Europe/Berlin");
  const calendar::ActiveWindow nights = calendar::ActiveWindow::Parse("22:00-06:00");
  World world("0 12 * * *", berlin, Utc("2026-03-01 12:30"));
  world.plan.window = &nights;
  EXPECT_EQ(world.plan.NextOccurrence(), kNever);
}

TEST(JobPlan, AfterCompletionAndContinuousWaitForTheWindow) {
  const TzifZone utc("UTC");
  const calendar::ActiveWindow nights = calendar::ActiveWindow::Parse("22:00-06:00");
  for (const char* schedule : {"1 hour after completion", "@continuous", "@startup"}) {
    World world(schedule, utc, Utc("2026-03-01 06:30"));
    world.plan.server_start = Utc("2026-03-01 07:00");
    world.plan.window = &nights;
    world.RunUntil(
        Utc("2026-03-05 12:00"), [] { return 10 * kMinute; }, kNeverFails);
    ASSERT_FALSE(world.runs.empty()) << schedule;
    EXPECT_EQ(world.runs[0].started_at, Utc("2026-03-01 22:00")) << schedule;
    for (const Attempt& run : world.runs) {
      EXPECT_TRUE(nights.IsOpen(run.started_at, utc)) << schedule;
    }
  }
}

TEST(JobPlan, DaysThatAreLeftOutAreNoOccurrences) {
  const TzifZone berlin("Europe/Berlin");
  const std::int32_t christmas = static_cast<std::int32_t>(Utc("2026-12-25 00:00") / kDay);
  const calendar::DaySet holidays({christmas, christmas + 1, 100'000});
  World world("0 9 * * *", berlin, Utc("2026-12-20 00:00"));
  world.plan.left_out = &holidays;
  world.RunUntil(Utc("2026-12-30 12:00"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), 11U - 2);
  EXPECT_TRUE(world.skips.empty());
}

}  // namespace
}  // namespace ratchet::policy
