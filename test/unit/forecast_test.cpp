#include "policy/forecast.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "calendar/window.h"
#include "job_world.h"

namespace ratchet::policy {
namespace {

const TzifZone& Berlin() {
  static const TzifZone zone("Europe/Berlin");
  return zone;
}

std::vector<Instant> StartsOf(const JobPlan& plan, Instant now, std::int64_t takes, Instant until) {
  std::vector<Instant> starts;
  Forecast forecast(plan, now, takes, 0);
  while (const auto start = forecast.Next(until)) {
    starts.push_back(start->at);
  }
  return starts;
}

// What is forecast at some time is what a scheduler does from then on.
TEST(Forecast, IsWhatASchedulerDoes) {
  std::mt19937 random(4711);
  const auto pick = [&random](int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random);
  };
  const char* schedules[] = {"5 minutes",       "90 seconds", "17 * * * *",
                             "0 9 * * MON-FRI", "1 day",      "10 minutes after completion",
                             "@continuous",     "H * * * *",  "@manual",
                             "0 0 29 2 *",      "@startup",   "RRULE:FREQ=HOURLY;BYMINUTE=5,50"};
  const std::int64_t durations[] = {0, kSecond, 4 * kMinute, 7 * kMinute, 3 * kHour};
  const char* windows[] = {"22:00-06:00", "Mon-Fri 08:00-09:30", "12:00-12:01"};
  for (int i = 0; i < 600; i++) {
    const char* schedule = schedules[pick(12)];
    const Instant since = Utc("2026-03-27 10:00:00") + pick(100) * kMinute;
    World world(schedule, Berlin(), since);
    const std::int64_t takes = durations[pick(5)];
    const auto window = calendar::ActiveWindow::Parse(windows[pick(3)]);
    if (pick(3) == 0) {
      world.plan.window = &window;
    }
    world.plan.overlap = pick(2) == 0 ? Overlap::kSkip : Overlap::kQueue;
    world.plan.misfire = pick(2) == 0 ? MisfirePolicy::kOnce : MisfirePolicy::kAll;
    world.plan.max_runs = pick(4) == 0 ? 5 : 0;
    if (pick(4) == 0) {
      world.plan.backoff_until = since + pick(100) * kMinute;
    }
    if (pick(3) == 0) {
      world.plan.end_at = since + 2 * kDay;
    }
    if (pick(3) == 0) {
      world.Outage(pick(50) * kHour);
    }
    const Instant now = world.now;
    const bool is_busy = std::string(schedule) == "@continuous";
    const Instant until = now + (is_busy ? kHour : 4 * kDay);
    const std::vector<Instant> forecast =
        StartsOf(world.plan, now, std::max(takes, is_busy ? kMinute : 0), until);
    world.RunUntil(
        until, [&] { return std::max(takes, is_busy ? kMinute : 0); }, kNeverFails);
    std::vector<Instant> done;
    for (const Attempt& run : world.runs) {
      done.push_back(run.started_at);
    }
    EXPECT_EQ(forecast, done) << i << ": " << schedule << ", takes " << takes / kSecond << " s";
  }
}

TEST(Forecast, WhatIsUnderWayEndsFirst) {
  World world("5 minutes", Berlin(), Utc("2026-03-27 10:00:00"));
  const Instant now = Utc("2026-03-27 10:06:00");
  world.plan.watermark = Utc("2026-03-27 10:05:00");
  Forecast skips(world.plan, now, kSecond, Utc("2026-03-27 10:17:00"));
  EXPECT_EQ(skips.Next(now + kHour)->at, Utc("2026-03-27 10:20:00"));
  world.plan.overlap = Overlap::kQueue;
  world.plan.claimed_at = now;
  Forecast queues(world.plan, now, kSecond, Utc("2026-03-27 10:17:00"));
  EXPECT_EQ(queues.Next(now + kHour)->at, Utc("2026-03-27 10:17:00"));
  world.plan.overlap = Overlap::kAllow;
  Forecast allows(world.plan, now, kSecond, Utc("2026-03-27 10:17:00"));
  EXPECT_EQ(allows.Next(now + kHour)->at, Utc("2026-03-27 10:10:00"));
}

TEST(Forecast, NothingOfAJobThatDoesNotStart) {
  World world("5 minutes", Berlin(), Utc("2026-03-27 10:00:00"));
  world.plan.enabled = false;
  EXPECT_TRUE(StartsOf(world.plan, world.now, 0, world.now + kDay).empty());
  world.plan.enabled = true;
  world.plan.held = true;
  EXPECT_TRUE(StartsOf(world.plan, world.now, 0, world.now + kDay).empty());
  world.plan.held = false;
  world.plan.here = false;
  EXPECT_TRUE(StartsOf(world.plan, world.now, 0, world.now + kDay).empty());
}

TEST(Forecast, AJobForEachTenthOfASecondEndsWhenItIsAskedNoMore) {
  World world("100 ms", Berlin(), Utc("2026-03-27 10:00:00"));
  Forecast forecast(world.plan, world.now, kSecond / 4, 0);
  for (int i = 1; i <= 1000; i++) {
    EXPECT_EQ(forecast.Next(world.now + kDay)->at,
              world.now + kSecond / 10 + (i - 1) * 3 * kSecond / 10);
  }
}

TEST(Forecast, WhatFollowsOthersStartsWhenAllHaveEnded) {
  using Starts = std::vector<Instant>;
  EXPECT_EQ(StartsAfterAll({}), Starts());
  EXPECT_EQ(StartsAfterAll({{10, 20, 30}}), Starts({10, 20, 30}));
  EXPECT_EQ(StartsAfterAll({{10, 20, 30}, {15}}), Starts({15}));
  EXPECT_EQ(StartsAfterAll({{10, 20, 30}, {15, 25, 40}}), Starts({15, 25, 40}));
  EXPECT_EQ(StartsAfterAll({{10, 20}, {}}), Starts());
}

}  // namespace
}  // namespace ratchet::policy
