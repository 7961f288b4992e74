// A job's schedule over years, without a server: outages, pauses, long runs, failures. Whatever
// happens, each occurrence is accounted for once.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "job_world.h"
#include "policy/retention.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::policy {
namespace {

TEST(JobPlan, YearsOfEverythingAccountForEachOccurrence) {
  const TzifZone berlin("Europe/Berlin");
  const TzifZone lord_howe("Australia/Lord_Howe");
  const TzifZone new_york("America/New_York");
  const std::vector<std::pair<const char*, const calendar::Zone*>> schedules = {
      {"*/30 * * * *", &berlin},      {"30 2 * * *", &berlin},       {"0 9 * * MON-FRI", &new_york},
      {"15 */6 * * *", &lord_howe},   {"0 3 1,L * *", &new_york},    {"90 minutes", &berlin},
      {"1 day", &lord_howe},          {"1 month 2 days", &new_york}, {"0 0 29 2 *", &berlin},
      {"*/20 1-3 * * SUN", &new_york}};
  std::mt19937 random(20260101);
  const auto upto = [&random](Instant most) {
    return std::uniform_int_distribution<Instant>(1, most)(random);
  };
  for (const auto& [text, zone] : schedules) {
    for (const MisfirePolicy misfire :
         {MisfirePolicy::kOnce, MisfirePolicy::kSkip, MisfirePolicy::kAll}) {
      for (const Overlap overlap : {Overlap::kSkip, Overlap::kQueue}) {
        const Instant since = Utc("2024-01-15 10:07");
        World world(text, *zone, since);
        world.plan.misfire = misfire;
        world.plan.misfire_limit = 5;
        world.plan.overlap = overlap;
        world.rules.max_attempts = 2;
        const auto takes = [&] { return upto(4) == 1 ? upto(10 * kHour) : upto(5 * kMinute); };
        const auto fails = [&] { return upto(5) == 1; };
        while (world.now < Utc("2027-01-15 00:00")) {
          world.RunUntil(world.now + upto(20 * kDay), takes, fails);
          switch (upto(5)) {
            case 1:
              world.Outage(upto(2 * kDay));
              break;
            case 2:
              world.plan.enabled = false;
              world.RunUntil(world.now + upto(10 * kDay), takes, fails);
              world.plan.enabled = true;
              break;
            case 3:
              world.plan.here = false;
              world.RunUntil(world.now + upto(3 * kDay), takes, fails);
              world.plan.here = true;
              world.plan.skip_noted = false;
              break;
            case 4:
              world.SetClock(world.now + upto(kDay));
              break;
            default:
              break;
          }
        }
        const std::string what = std::string(text) + " misfire " +
                                 std::to_string(static_cast<int>(misfire)) + " overlap " +
                                 std::to_string(static_cast<int>(overlap));
        ExpectAccountedFor(world, since, what.c_str());
        if (HasFatalFailure()) {
          return;
        }
      }
    }
  }
}

TEST(JobPlan, AnIdleJobCostsOnePassForEachRun) {
  const TzifZone berlin("Europe/Berlin");
  World world("0 9 * * *", berlin, Utc("2024-01-01 00:00"));
  world.RunUntil(Utc("2034-01-01 00:00"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), 3653U);
  EXPECT_TRUE(world.skips.empty());
  EXPECT_LE(world.passes, 2 * 3653);
}

// Ten hours of an hourly job: down, paused, or waiting for a worker.
class Missed : public testing::TestWithParam<std::string> {
 protected:
  static World After(MisfirePolicy misfire, std::int64_t limit = 100) {
    static const TzifZone utc("UTC");
    World world("0 * * * *", utc, Utc("2026-03-01 00:30"));
    world.plan.misfire = misfire;
    world.plan.misfire_limit = limit;
    world.RunUntil(Utc("2026-03-01 02:30"), kTakesAMoment, kNeverFails);
    if (GetParam() == "outage") {
      world.Outage(10 * kHour);
    } else if (GetParam() == "pause") {
      world.plan.enabled = false;
      world.RunUntil(world.now + 10 * kHour, kTakesAMoment, kNeverFails);
      world.plan.enabled = true;
    } else if (GetParam() == "full pool") {
      world.plan.held = true;  // as good as no worker
      world.RunUntil(world.now + 10 * kHour, kTakesAMoment, kNeverFails);
      world.plan.held = false;
    } else {
      world.SetClock(world.now + 10 * kHour);
    }
    world.RunUntil(Utc("2026-03-01 13:30"), kTakesAMoment, kNeverFails);
    return world;
  }

  // The runs after the first two hours, as '12+ 13': hours of scheduled_at, + for late ones.
  static std::string Late(const World& world) {
    std::string text;
    for (std::size_t i = 2; i < world.runs.size(); i++) {
      text += (text.empty() ? "" : " ") +
              std::to_string((world.runs[i].scheduled_at - Utc("2026-03-01 00:00")) / kHour) +
              (world.runs[i].catchup ? "+" : "");
    }
    return text;
  }
};

TEST_P(Missed, OnceRunsTheLatest) {
  const World world = After(MisfirePolicy::kOnce);
  EXPECT_EQ(Late(world), "12+ 13");
  EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 9);
}

TEST_P(Missed, SkipRunsNoneOfThem) {
  const World world = After(MisfirePolicy::kSkip);
  EXPECT_EQ(Late(world), "13");
  EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 10);
}

TEST_P(Missed, AllRunsThemInOrder) {
  const World world = After(MisfirePolicy::kAll);
  EXPECT_EQ(Late(world), "3+ 4+ 5+ 6+ 7+ 8+ 9+ 10+ 11+ 12+ 13");
  EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 0);
}

TEST_P(Missed, AllHasALimit) {
  const World world = After(MisfirePolicy::kAll, 3);
  EXPECT_EQ(Late(world), "10+ 11+ 12+ 13");
  EXPECT_EQ(CountSkipped(world, SkipReason::kMissed), 7);
}

// More than are counted: none of those beyond the limit runs.
TEST(JobPlan, AllHasItsLimitAfterMillions) {
  const TzifZone berlin("Europe/Berlin");
  for (const char* schedule : {"1 second", "* * * * * *"}) {
    World world(schedule, berlin, Utc("2026-01-01 00:00"));
    world.plan.misfire = MisfirePolicy::kAll;
    world.plan.misfire_limit = 4;
    world.plan.enabled = false;
    world.RunUntil(
        Utc("2026-02-10 00:00"), [] { return kSecond / 10; }, kNeverFails);
    world.plan.enabled = true;
    world.RunUntil(
        Utc("2026-02-10 00:00"), [] { return kSecond / 1000; }, kNeverFails);
    ASSERT_FALSE(world.runs.empty());
    EXPECT_EQ(calendar::UtcText(world.runs.front().scheduled_at), "2026-02-09 23:59:57");
    EXPECT_LE(world.runs.size(), 4U);
    EXPECT_EQ(world.skips.size(), 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Why, Missed,
                         testing::Values("outage", "pause", "full pool", "clock set forward"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST(JobPlan, OverlapSkipLeavesOutAndQueueLinesUp) {
  const TzifZone utc("UTC");
  for (const Overlap overlap : {Overlap::kSkip, Overlap::kQueue}) {
    World world("0 * * * *", utc, Utc("2026-03-01 00:30"));
    world.plan.overlap = overlap;
    int runs = 0;
    // The first one takes until 04:30.
    world.RunUntil(
        Utc("2026-03-01 06:30"), [&] { return runs++ == 0 ? 3 * kHour + 30 * kMinute : kSecond; },
        kNeverFails);
    if (overlap == Overlap::kSkip) {
      EXPECT_EQ(world.runs.size(), 3U);
      EXPECT_EQ(CountSkipped(world, SkipReason::kRunning), 3);
    } else {
      EXPECT_EQ(world.runs.size(), 6U);
      EXPECT_EQ(world.runs[1].scheduled_at, Utc("2026-03-01 02:00"));
      EXPECT_EQ(world.runs[1].started_at, Utc("2026-03-01 04:30"));
      EXPECT_TRUE(world.skips.empty());
    }
  }
}

TEST(JobPlan, BackOffRestsAndTellsItOnceAtTheStartAndOnceAtTheEnd) {
  const TzifZone utc("UTC");
  World world("* * * * *", utc, Utc("2026-03-01 00:00"));
  const Instant mended = Utc("2026-03-01 03:00");
  world.RunUntil(Utc("2026-03-01 06:00"), kTakesAMoment, [&] { return world.now < mended; });
  std::vector<std::int64_t> rests;
  for (std::size_t i = 1; i < world.runs.size() && world.runs[i - 1].status == RunStatus::kFailed;
       i++) {
    rests.push_back((world.runs[i].started_at - world.runs[i - 1].finished_at + kMinute / 2) /
                    kMinute);
  }
  EXPECT_EQ(rests, (std::vector<std::int64_t>{3, 5, 9, 17, 33, 61, 61}));
  EXPECT_EQ(world.skips.size(), 2 * rests.size());
  ExpectAccountedFor(world, Utc("2026-03-01 00:00"), "back-off");
}

// ---- Schedules that go by what runs

TEST(JobPlan, AfterCompletionWaitsForTheRestAfterFailuresWithoutSkips) {
  const TzifZone utc("UTC");
  World world("1 second after completion", utc, Utc("2026-03-01 00:00"));
  world.RunUntil(Utc("2026-03-01 06:00"), kTakesAMoment,
                 [&] { return world.now < Utc("2026-03-01 00:30"); });
  EXPECT_TRUE(world.skips.empty());
  ASSERT_GT(world.runs.size(), 1000U);
  EXPECT_EQ(world.runs[1].started_at - world.runs[0].finished_at, 2 * kMinute);
  EXPECT_EQ(world.runs[2].started_at - world.runs[1].finished_at, 4 * kMinute);
}

TEST(JobPlan, WhatGoesByRunsGoesOnAfterItWasLeftOut) {
  const TzifZone utc("UTC");
  for (const char* schedule : {"1 hour after completion", "@continuous"}) {
    World world(schedule, utc, Utc("2026-03-01 00:00"));
    world.plan.misfire = MisfirePolicy::kSkip;
    world.RunUntil(
        Utc("2026-03-01 02:30"), [] { return 10 * kMinute; }, kNeverFails);
    world.Outage(10 * kHour);
    const std::size_t before = world.runs.size();
    world.RunUntil(
        world.now + 2 * kHour, [] { return 10 * kMinute; }, kNeverFails);
    EXPECT_GT(world.runs.size(), before) << schedule;
    EXPECT_LE(world.skips.size(), 1U) << schedule;
    world.plan.here = false;
    world.RunUntil(
        world.now + 3 * kHour, [] { return 10 * kMinute; }, kNeverFails);
    EXPECT_LE(world.skips.size(), 6U) << schedule;
    world.plan.here = true;
    world.plan.skip_noted = false;
    const std::size_t after = world.runs.size();
    world.RunUntil(
        world.now + 2 * kHour, [] { return 10 * kMinute; }, kNeverFails);
    EXPECT_GT(world.runs.size(), after) << schedule;
  }
}

TEST(JobPlan, AContinuousJobRunsAgainAtOnceAndRestsWhenItFindsNothing) {
  const TzifZone utc("UTC");
  World world("@continuous", utc, Utc("2026-03-01 00:00"));
  world.RunUntil(Utc("2026-03-01 00:10"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), 600U);
  world.plan.empty_runs = 100;
  const std::size_t before = world.runs.size();
  world.RunUntil(Utc("2026-03-01 00:21"), kTakesAMoment, kNeverFails);
  EXPECT_EQ(world.runs.size(), before + 60);
}

TEST(Retention, RecordsGoALittleLaterThanTheyMay) {
  EXPECT_EQ(PurgeAt(0, 30 * kDay), 30 * kDay + kHour);
  EXPECT_EQ(PurgeAt(0, kHour), kHour + kHour / 50);
  EXPECT_EQ(PurgeAt(100, 0), 100 + kSecond);
  // Nothing is looked for before it may go.
  for (const std::int64_t keep : {Instant{0}, kSecond, kDay, 1000 * kDay}) {
    EXPECT_GE(PurgeBefore(PurgeAt(500, keep), keep), 500);
  }
}

}  // namespace
}  // namespace ratchet::policy
