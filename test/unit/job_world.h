// A scheduler with one job, which does what src/scheduler does with the steps of its plan, in a
// world of servers that stop, clocks that are set and runs that take long or fail.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "calendar/schedule.h"
#include "policy/after_run.h"
#include "policy/job_plan.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::policy {

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
  // A negative length: it comes back on a machine whose clock is behind.
  void Outage(Instant length) {
    end_of_run_.reset();
    retry_at_.reset();
    plan.running = 0;
    now += length;
    plan.claimed_at = 0;
    plan.server_start = now;
    plan.skip_noted = false;
    ForgetTheFuture(&plan, now, rules.backoff.cap, true);
  }

  // Of a child: the last of the jobs that it depends on has succeeded since its last run.
  void ParentsSucceed() {
    plan.parents_ready = true;
    plan.ready_since = now;
  }

  // While a scheduler is there, which notices it; what runs takes as long as it takes.
  void SetClock(Instant to) {
    const std::int64_t by = to - now;
    now = to;
    if (end_of_run_) {
      end_of_run_ = *end_of_run_ + by;
    }
    if (retry_at_) {
      retry_at_ = *retry_at_ + by;
    }
    plan.skip_noted = false;
    MoveWithClock(&plan, now, by, rules.backoff.cap);
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
      plan.skip_noted = plan.skip_noted && !plan.is_child;
      const Start start = plan.StartAt(step, now);
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
    plan.parents_ready = false;  // used up
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

inline const auto kTakesAMoment = [] { return kSecond; };
inline const auto kNeverFails = [] { return false; };

// Every occurrence in (since, watermark] is one that ran or one that is told as skipped.
inline void ExpectAccountedFor(const World& world, Instant since, const char* what) {
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

inline std::int64_t CountSkipped(const World& world, SkipReason reason) {
  std::int64_t count = 0;
  for (const Skip& skip : world.skips) {
    count += skip.reason == reason ? skip.count : 0;
  }
  return count;
}

}  // namespace ratchet::policy
