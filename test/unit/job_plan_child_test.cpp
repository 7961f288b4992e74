// Jobs with a schedule that depend on other jobs.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "job_world.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::policy {
namespace {

constexpr MisfirePolicy kMisfires[] = {MisfirePolicy::kOnce, MisfirePolicy::kSkip,
                                       MisfirePolicy::kAll};

World ChildOf(const char* schedule, const calendar::Zone& zone, Instant since) {
  World world(schedule, zone, since);
  world.plan.is_child = true;
  return world;
}

TEST(ChildPlan, AnOccurrenceWaitsForTheParentsAndIsNotLateByThat) {
  const TzifZone utc("UTC");
  for (const MisfirePolicy misfire : kMisfires) {
    World world = ChildOf("0 * * * *", utc, Utc("2026-03-01 00:30"));
    world.plan.misfire = misfire;
    world.RunUntil(Utc("2026-03-01 01:45"), kTakesAMoment, kNeverFails);
    EXPECT_TRUE(world.runs.empty());
    EXPECT_TRUE(world.skips.empty()) << "it waits: nothing is left out";
    world.ParentsSucceed();
    world.RunUntil(Utc("2026-03-01 01:59"), kTakesAMoment, kNeverFails);
    ASSERT_EQ(world.runs.size(), 1U);
    EXPECT_EQ(world.runs[0].scheduled_at, Utc("2026-03-01 01:00"));
    EXPECT_EQ(world.runs[0].started_at, Utc("2026-03-01 01:45"));
    EXPECT_FALSE(world.runs[0].catchup);
    EXPECT_TRUE(world.skips.empty());
  }
}

TEST(ChildPlan, ParentsThatSucceedBeforeAnOccurrenceDoNotStartIt) {
  const TzifZone utc("UTC");
  World world = ChildOf("0 * * * *", utc, Utc("2026-03-01 00:30"));
  world.ParentsSucceed();
  world.RunUntil(Utc("2026-03-01 00:59"), kTakesAMoment, kNeverFails);
  EXPECT_TRUE(world.runs.empty());
  world.RunUntil(Utc("2026-03-01 01:59"), kTakesAMoment, kNeverFails);
  ASSERT_EQ(world.runs.size(), 1U);
  EXPECT_EQ(world.runs[0].started_at, Utc("2026-03-01 01:00"));
  // What they did is used up.
  world.RunUntil(Utc("2026-03-01 02:59"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), 1U);
}

TEST(ChildPlan, TheFirstThatIsLeftOutIsToldAtOnceAndTheOthersAreSummedUp) {
  const TzifZone utc("UTC");
  const Instant since = Utc("2026-03-01 00:00");
  for (const MisfirePolicy misfire : kMisfires) {
    World world = ChildOf("* * * * *", utc, since);
    world.plan.misfire = misfire;
    world.RunUntil(Utc("2026-03-01 00:01"), kTakesAMoment, kNeverFails);
    EXPECT_TRUE(world.skips.empty());
    world.RunUntil(Utc("2026-03-01 00:02"), kTakesAMoment, kNeverFails);
    ASSERT_EQ(world.skips.size(), 1U) << "the next one has taken its place";
    EXPECT_EQ(world.skips[0].reason, SkipReason::kParents);
    EXPECT_EQ(world.skips[0].first, Utc("2026-03-01 00:01"));
    EXPECT_EQ(world.skips[0].count, 1);
    // However often the job is looked at in between.
    for (int minute = 3; minute <= 60; minute++) {
      world.RunUntil(since + minute * kMinute, kTakesAMoment, kNeverFails);
    }
    EXPECT_EQ(world.skips.size(), 1U);
    world.RunUntil(Utc("2026-03-01 01:01"), kTakesAMoment, kNeverFails);
    ASSERT_EQ(world.skips.size(), 2U);
    EXPECT_EQ(world.skips[1].count, 59);
    world.RunUntil(Utc("2026-03-03 00:00") + kMinute / 2, kTakesAMoment, kNeverFails);
    EXPECT_EQ(world.skips.size(), 49U) << "the first one, then about one an hour";
    EXPECT_LE(world.passes, 50);
    EXPECT_TRUE(world.runs.empty());
    world.ParentsSucceed();
    world.RunUntil(Utc("2026-03-03 00:02") + kMinute / 2, kTakesAMoment, kNeverFails);
    ASSERT_EQ(world.runs.size(), 1U) << "the latest, whatever the misfire policy is";
    EXPECT_EQ(world.runs[0].scheduled_at, Utc("2026-03-03 00:00"));
    EXPECT_FALSE(world.runs[0].catchup);
    EXPECT_EQ(world.skips.back().until, Utc("2026-03-03 00:01"))
        << "a new wait is told at once again";
    EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 0);
    ExpectAccountedFor(world, since, "child");
  }
}

TEST(ChildPlan, DueOccurrencesWithoutAPassInBetweenAreOneSkip) {
  const TzifZone utc("UTC");
  const Instant since = Utc("2026-03-01 00:00");
  World world = ChildOf("* * * * *", utc, since);
  world.RunUntil(since + kSecond, kTakesAMoment, kNeverFails);
  world.Outage(10 * kHour);
  world.ParentsSucceed();
  world.RunUntil(world.now + kSecond, kTakesAMoment, kNeverFails);
  ASSERT_EQ(world.runs.size(), 1U);
  EXPECT_EQ(world.runs[0].scheduled_at, Utc("2026-03-01 10:00"));
  ASSERT_EQ(world.skips.size(), 1U);
  EXPECT_EQ(world.skips[0].count, 599);
  EXPECT_EQ(world.skips[0].reason, SkipReason::kParents);
}

TEST(ChildPlan, WhatIsMissedForOtherReasonsIsAMatterOfTheMisfirePolicy) {
  const TzifZone utc("UTC");
  for (const MisfirePolicy misfire : kMisfires) {
    const Instant since = Utc("2026-03-01 00:30");
    World world = ChildOf("0 * * * *", utc, since);
    world.plan.misfire = misfire;
    world.RunUntil(Utc("2026-03-01 03:30"), kTakesAMoment, kNeverFails);
    world.ParentsSucceed();
    world.Outage(6 * kHour);  // the one of 03:00 could have started
    world.RunUntil(Utc("2026-03-01 09:59"), kTakesAMoment, kNeverFails);
    switch (misfire) {
      case MisfirePolicy::kSkip:
        EXPECT_TRUE(world.runs.empty());
        EXPECT_EQ(CountSkipped(world, SkipReason::kParents), 2);
        EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 7);
        break;
      case MisfirePolicy::kOnce:
        ASSERT_EQ(world.runs.size(), 1U);
        EXPECT_EQ(world.runs[0].scheduled_at, Utc("2026-03-01 09:00"));
        EXPECT_EQ(CountSkipped(world, SkipReason::kParents), 2);
        EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 6);
        EXPECT_TRUE(world.runs[0].catchup);
        break;
      case MisfirePolicy::kAll:
        // The others wait for the parents to succeed again.
        ASSERT_EQ(world.runs.size(), 1U);
        EXPECT_EQ(world.runs[0].scheduled_at, Utc("2026-03-01 03:00"));
        EXPECT_EQ(CountSkipped(world, SkipReason::kParents), 2 + 5);
        EXPECT_TRUE(world.runs[0].catchup);
        break;
    }
    ExpectAccountedFor(world, since, "child");
  }
}

TEST(ChildPlan, WaitsForParentsAndForItsWindow) {
  const TzifZone utc("UTC");
  const calendar::ActiveWindow nights = calendar::ActiveWindow::Parse("22:00-06:00");
  World world = ChildOf("0 * * * *", utc, Utc("2026-03-01 12:30"));
  world.plan.window = &nights;
  world.RunUntil(Utc("2026-03-02 05:30"), kTakesAMoment, kNeverFails);
  EXPECT_TRUE(world.runs.empty());
  world.RunUntil(Utc("2026-03-02 07:00"), kTakesAMoment, kNeverFails);
  world.ParentsSucceed();
  world.RunUntil(Utc("2026-03-02 21:59"), kTakesAMoment, kNeverFails);
  EXPECT_TRUE(world.runs.empty()) << "the window is closed";
  world.RunUntil(Utc("2026-03-02 22:30"), kTakesAMoment, kNeverFails);
  ASSERT_EQ(world.runs.size(), 1U);
  EXPECT_EQ(world.runs[0].started_at, Utc("2026-03-02 22:00"));
}

TEST(ChildPlan, BackOffPausesAndOtherEnvironmentsComeBeforeTheParents) {
  const TzifZone utc("UTC");
  const Instant since = Utc("2026-03-01 00:30");
  World world = ChildOf("0 * * * *", utc, since);
  world.plan.here = false;
  world.RunUntil(Utc("2026-03-01 01:30"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(CountSkipped(world, SkipReason::kEnvironment), 1);
  world.plan.here = true;
  world.plan.enabled = false;
  world.ParentsSucceed();
  world.RunUntil(Utc("2026-03-01 02:30"), kTakesAMoment, kNeverFails);
  EXPECT_TRUE(world.runs.empty());
  world.plan.enabled = true;
  world.RunUntil(Utc("2026-03-01 02:31"), kTakesAMoment, [] { return true; });
  ASSERT_EQ(world.runs.size(), 1U) << "evaluated when it is resumed";
  world.plan.backoff_until = Utc("2026-03-01 04:30");
  world.ParentsSucceed();
  world.RunUntil(Utc("2026-03-01 04:59"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), 1U);
  EXPECT_EQ(CountSkipped(world, SkipReason::kBackOff), 2);
  world.RunUntil(Utc("2026-03-01 05:30"), kTakesAMoment, kNeverFails);
  ASSERT_EQ(world.runs.size(), 2U);
  EXPECT_EQ(world.runs[1].started_at, Utc("2026-03-01 05:00"));
  ExpectAccountedFor(world, since, "child");
}

// Whatever happens: each occurrence is accounted for, and no run without a success of the parents.
TEST(ChildPlan, MonthsOfEverything) {
  const TzifZone berlin("Europe/Berlin");
  std::mt19937 random(20260301);
  const auto upto = [&random](Instant most) {
    return std::uniform_int_distribution<Instant>(1, most)(random);
  };
  for (const char* schedule : {"*/30 * * * *", "30 2 * * *", "90 minutes", "1 minute"}) {
    for (const MisfirePolicy misfire : kMisfires) {
      for (const Overlap overlap : {Overlap::kSkip, Overlap::kQueue}) {
        const Instant since = Utc("2026-03-01 10:07");
        World world = ChildOf(schedule, berlin, since);
        world.plan.misfire = misfire;
        world.plan.misfire_limit = 5;
        world.plan.overlap = overlap;
        world.rules.max_attempts = 2;
        std::vector<Instant> successes;
        const auto takes = [&] { return upto(4) == 1 ? upto(5 * kHour) : upto(5 * kMinute); };
        const auto fails = [&] { return upto(8) == 1; };
        while (world.now < Utc("2026-05-15 00:00")) {
          world.RunUntil(world.now + upto(kDay), takes, fails);
          switch (upto(6)) {
            case 1:
              world.Outage(upto(kDay));
              break;
            case 2:
              world.SetClock(world.now + upto(kDay));
              break;
            default:
              successes.push_back(world.now);
              world.ParentsSucceed();
              break;
          }
        }
        const std::string what = std::string(schedule) + " misfire " +
                                 std::to_string(static_cast<int>(misfire)) + " overlap " +
                                 std::to_string(static_cast<int>(overlap));
        ExpectAccountedFor(world, since, what.c_str());
        if (HasFatalFailure()) {
          return;
        }
        EXPECT_GT(world.runs.size(), 10U) << what;
        Instant used = since;
        std::size_t next = 0;
        for (const Attempt& run : world.runs) {
          bool has_cause = run.retry;
          for (; next < successes.size() && successes[next] <= run.started_at; next++) {
            has_cause = has_cause || successes[next] >= used;
          }
          EXPECT_TRUE(has_cause) << what << ": " << calendar::UtcText(run.started_at);
          used = run.started_at;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ratchet::policy
