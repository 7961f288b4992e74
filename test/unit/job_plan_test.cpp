// A job's schedule over years, without a server: outages, pauses, long runs, failures, clocks that
// are set. Whatever happens, each occurrence is accounted for once.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "calendar/schedule.h"
#include "policy/after_run.h"
#include "policy/job_plan.h"
#include "policy/retention.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::policy {
namespace {

using calendar::Instant;
using calendar::kDay;
using calendar::kHour;
using calendar::kMinute;
using calendar::kNever;
using calendar::kSecond;
using calendar::Schedule;
using calendar::TzifZone;
using calendar::Utc;

struct Attempt {
  Instant scheduled_at;
  Instant started_at;
  Instant finished_at;
  bool catchup;
  bool retry;
  RunStatus status;
};

struct Skip {
  Instant first;
  Instant until;
  std::int64_t count;
  SkipReason reason;
};

// A scheduler with one job, which does what src/scheduler does with the steps.
class World {
 public:
  World(const char* schedule, const calendar::Zone& zone, Instant since)
      : schedule_(Schedule::Parse(schedule)) {
    plan.schedule = &schedule_;
    plan.zone = &zone;
    plan.anchor = since;
    plan.watermark = since;
    plan.server_start = since;
    now = since;
  }

  // Everything up to `until`; `takes` and `fails` say what becomes of a run that starts.
  template <typename Takes, typename Fails>
  void RunUntil(Instant until, Takes takes, Fails fails) {
    while (true) {
      Instant next = plan.LookAt(now);
      next = std::max(next, now);
      if (end_of_run_) {
        next = std::min(next, *end_of_run_);
      }
      if (retry_at_ && !end_of_run_) {
        next = std::min(next, std::max(*retry_at_, now));
      }
      if (next > until) {
        break;
      }
      now = next;
      passes++;
      if (end_of_run_ && *end_of_run_ <= now) {
        EndRun(fails);
      }
      if (retry_at_ && *retry_at_ <= now && !end_of_run_) {
        retry_at_.reset();
        BeginRun(retry_of_, false, true, takes);
      }
      Pass(takes);
    }
    now = until;
  }

  // The server is down: what ran then has crashed, and is not taken up again here.
  void Outage(Instant length) {
    end_of_run_.reset();
    retry_at_.reset();
    plan.running = 0;
    now += length;
    plan.claimed_at = 0;
    plan.server_start = now;
    plan.skip_noted = false;
    ForgetTheFuture(&plan, now, rules.backoff.cap);
  }

  void SetClock(Instant to) {
    now = to;
    if (end_of_run_) {
      end_of_run_ = to;
    }
    plan.skip_noted = false;
    ForgetTheFuture(&plan, now, rules.backoff.cap);
  }

  JobPlan plan;
  RetryRules rules;
  Standing standing;
  Instant now;
  std::vector<Attempt> runs;
  std::vector<Skip> skips;
  int passes = 0;

 private:
  template <typename Takes>
  void Pass(Takes takes) {
    for (int i = 0;; i++) {
      ASSERT_LT(i, 100) << "no end of steps";
      const Step step = plan.NextStep(now);
      if (step.kind == Step::Kind::kWait) {
        return;
      }
      if (step.kind == Step::Kind::kSkip) {
        Note(step.closed);
        skips.push_back({step.first, step.until, step.count, step.reason});
        plan.watermark = step.until;
        plan.skip_noted = plan.skip_noted || step.is_first;
        continue;
      }
      const Start start = plan.StartAt(now);
      Note(start.closed);
      if (start.skip > 0) {
        skips.push_back({start.skip_first, start.skip_until, start.skip, SkipReason::kMissed});
        plan.watermark = start.skip_until;
      }
      if (start.run == kNever) {
        continue;
      }
      plan.watermark = start.run;
      plan.run_count++;
      BeginRun(start.run, start.catchup, false, takes);
      return;
    }
  }

  void Note(const calendar::ClosedOccurrences& closed) {
    if (closed.count > 0) {
      skips.push_back({closed.first, closed.last, closed.count, SkipReason::kClosed});
    }
  }

  template <typename Takes>
  void BeginRun(Instant scheduled_at, bool catchup, bool retry, Takes takes) {
    ASSERT_FALSE(end_of_run_) << "runs overlap";
    plan.claimed_at = now;
    plan.running = 1;
    end_of_run_ = now + takes();
    runs.push_back({scheduled_at, now, *end_of_run_, catchup, retry, RunStatus::kRunning});
  }

  template <typename Fails>
  void EndRun(Fails fails) {
    Attempt& run = runs.back();
    run.status = fails() ? RunStatus::kFailed : RunStatus::kSucceeded;
    attempt_ = run.retry ? attempt_ + 1 : 1;
    EndedAttempt ended;
    ended.status = run.status;
    ended.attempt = attempt_;
    ended.started_at = run.started_at;
    ended.finished_at = now;
    const Verdict verdict = AfterRun(standing, rules, ended, 0.5);
    standing = verdict.standing;
    plan.skip_noted = plan.skip_noted && plan.backoff_until == standing.backoff_until;
    plan.backoff_until = standing.backoff_until;
    plan.last_finished = now;
    plan.running = 0;
    end_of_run_.reset();
    if (verdict.again) {
      retry_at_ = verdict.again_at;
      retry_of_ = run.scheduled_at;
    }
  }

  Schedule schedule_;
  std::optional<Instant> end_of_run_;
  std::optional<Instant> retry_at_;
  Instant retry_of_ = 0;
  std::int32_t attempt_ = 0;
};

const auto kTakesAMoment = [] { return kSecond; };
const auto kNeverFails = [] { return false; };

// Every occurrence in (since, watermark] is one that ran or one that is told as skipped.
void ExpectAccountedFor(const World& world, Instant since, const char* what) {
  std::vector<Instant> ran;
  for (const Attempt& run : world.runs) {
    if (!run.retry) {
      ran.push_back(run.scheduled_at);
    }
  }
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end())) << what;
  EXPECT_EQ(std::adjacent_find(ran.begin(), ran.end()), ran.end()) << what << ": twice";
  std::int64_t skipped = 0;
  Instant last = since;
  for (const Skip& skip : world.skips) {
    skipped += skip.count;
    ASSERT_GT(skip.count, 0) << what;
    ASSERT_GE(skip.until, skip.first) << what;
    if (world.plan.window != nullptr) {
      continue;  // what is outside of it is told apart, and may lie in between
    }
    ASSERT_GT(skip.first, last) << what;
    EXPECT_EQ(skip.count, world.plan.schedule->Count(skip.first - 1, skip.until, *world.plan.zone,
                                                     world.plan.anchor, INT64_MAX))
        << what;
    EXPECT_TRUE(std::none_of(ran.begin(), ran.end(),
                             [&](Instant at) { return at >= skip.first && at <= skip.until; }))
        << what << ": ran and skipped";
    last = skip.until;
  }
  const std::int64_t all = world.plan.schedule->Count(since, world.plan.watermark, *world.plan.zone,
                                                      world.plan.anchor, INT64_MAX);
  EXPECT_EQ(static_cast<std::int64_t>(ran.size()) + skipped, all) << what;
}

std::int64_t CountSkipped(const World& world, SkipReason reason) {
  std::int64_t count = 0;
  for (const Skip& skip : world.skips) {
    count += skip.reason == reason ? skip.count : 0;
  }
  return count;
}

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
