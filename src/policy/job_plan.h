// What a job does at an instant: the decisions of a scheduler's pass about one job's schedule.
// State and time go in, a step comes out; nothing here knows of a server.
#pragma once

#include <algorithm>
#include <cstdint>

#include "calendar/day_set.h"
#include "calendar/open_timeline.h"
#include "calendar/schedule.h"
#include "calendar/timeline.h"
#include "calendar/window.h"
#include "calendar/zone.h"
#include "policy/misfire.h"

namespace ratchet::policy {

enum class Overlap : std::uint8_t { kSkip, kQueue, kAllow };

// Why an occurrence does not run.
enum class SkipReason : std::uint8_t {
  kEnvironment,  // the job is meant for other servers
  kBackOff,      // the job rests after failures
  kRunning,      // a run of it is under way
  kParents,      // the jobs that it depends on have not succeeded
  kMissed,       // it could not start in time, and the misfire policy leaves it out
  kClosed,       // outside of the active window: no reason for a pass, but told when the watermark
                 // moves on over it
};

// One thing to do about a job that may be due. A skip settles `count` occurrences, from `first` up
// to `until`, and is followed by a further step.
struct Step {
  enum class Kind : std::uint8_t { kWait, kSkip, kReady };
  Kind kind = Kind::kWait;
  SkipReason reason = SkipReason::kMissed;
  std::int64_t count = 0;
  calendar::Instant first = 0;
  calendar::Instant until = 0;  // kReady: the latest occurrence that is due
  bool is_first = false;  // of a stretch of skips of which the next are summed up: see skip_noted
  calendar::ClosedOccurrences closed{};  // kSkip: besides, up to `until`
};

// What starts of a job whose turn has come.
struct Start {
  std::int64_t skip = 0;  // so many of the oldest are missed, the first and the last of which are
  calendar::Instant skip_first = 0;
  calendar::Instant skip_until = 0;
  calendar::Instant run = calendar::kNever;  // then this one runs; kNever: none
  bool catchup = false;                      // it is late
  calendar::ClosedOccurrences closed{};      // besides, before the one that runs
};

// Instants: 0 stands for none, unless something else is said.
struct JobPlan {
  // ---- What the job is
  const calendar::Schedule* schedule = nullptr;
  const calendar::Zone* zone = nullptr;
  const calendar::ActiveWindow* window = nullptr;  // null: always open
  const calendar::DaySet* left_out = nullptr;      // null: no day is
  calendar::Instant anchor = 0;                    // of an interval; start_at, if the job has one
  calendar::Instant start_at = 0;
  calendar::Instant end_at = 0;
  std::int64_t max_runs = 0;  // 0: no limit
  Overlap overlap = Overlap::kSkip;
  MisfirePolicy misfire = MisfirePolicy::kOnce;
  std::int64_t misfire_limit = 100;
  bool enabled = true;
  bool here = true;   // meant for this server's environment
  bool held = false;  // does not start before something else is done
  // It depends on other jobs, of which all have succeeded since its last run: since ready_since.
  bool is_child = false;
  bool parents_ready = false;
  calendar::Instant ready_since = 0;

  // ---- Where it stands
  calendar::Instant watermark = 0;  // occurrences up to here are accounted for
  calendar::Instant last_finished = 0;
  std::int64_t empty_runs = 0;       // in a row, of a continuous job: they found nothing to do
  calendar::Instant claimed_at = 0;  // of its newest run
  calendar::Instant backoff_until = 0;
  calendar::Instant server_start = 0;
  std::int64_t run_count = 0;
  int running = 0;
  bool past_run = false;    // what is running is an occurrence of a backfill
  bool skip_noted = false;  // the first skip of this back-off or exile is recorded

  // First occurrence after the watermark at which the window is open; kNever when there is none
  // (any more).
  calendar::Instant NextOccurrence() const;
  // Occurrences that are due.
  DueOccurrences Due(calendar::Instant now) const;
  // When the job starts next, as far as it is known at `now`; kNever for a job that does not.
  calendar::Instant NextStart() const;

  bool IsOpen(calendar::Instant t) const { return window == nullptr || window->IsOpen(t, *zone); }
  // The first instant from t on at which it may start; kNever: none.
  calendar::Instant Opening(calendar::Instant t) const;
  // The end of the opening in which t lies; kNever: none.
  calendar::Instant ClosesAt(calendar::Instant t) const;

  // When the schedule has to be looked at again; kNever: not before something happens.
  calendar::Instant LookAt(calendar::Instant now) const;
  Step NextStep(calendar::Instant now) const;
  // All that is due at `now`, for a reason that the plan does not know.
  Step SkipStep(SkipReason reason, calendar::Instant now) const;
  // For a job whose step at this instant is kReady.
  Start StartAt(const Step& ready, calendar::Instant now) const;

  // What is accounted for seems to lie in the future, perhaps; `at` is where it lies by the clock
  // as it is now.
  void TakeWatermark(calendar::Instant at, calendar::Instant now, bool starts_anew);

 private:
  calendar::OpenTimeline Occurrences() const;
  calendar::Instant NextOfRuns() const;
  calendar::Instant LookAtWaiting(calendar::Instant due) const;
  calendar::Instant SettledBy(const DueOccurrences& due) const;
  calendar::Instant Remembered(calendar::Instant at) const;
  calendar::ClosedOccurrences ClosedUpTo(calendar::Instant until) const;
  Step SkipStep(SkipReason reason, const DueOccurrences& due, bool is_first) const;
  calendar::Instant MissedUntil(const DueOccurrences& due, const MisfireDecision& decision) const;
};

// ---- A clock that is set
//
// Who finds its own past in the future would keep still until it comes again. Beyond this time
// (microseconds) it is forgotten; below it a job that is meant on the wall clock does not run again
// what it has run, as in cron. What goes by elapsed time goes on as if the clock had not been set.
constexpr std::int64_t kLongestStepBack = 3 * calendar::kHour;
// Clocks that are put right to and fro by less than this (microseconds) make nothing run twice.
constexpr std::int64_t kSwing = 5 * calendar::kSecond;

// What a job has accounted for, if that was known to be `known` (0: nothing is) and nothing before
// `since` counts. A `since` of the future was said by a clock that was ahead: what is known since
// then must not be forgotten again and again.
inline calendar::Instant AccountedFor(calendar::Instant known, calendar::Instant since,
                                      calendar::Instant now) {
  return known != 0 && since > now ? known : std::max(known, since);
}

// The plan as a scheduler takes it up at `now`: nothing that has happened lies in the future.
// longest_rest: beyond which no back-off lasts. starts_anew: nobody has looked at the job since the
// server was started.
void ForgetTheFuture(JobPlan* plan, calendar::Instant now, std::int64_t longest_rest,
                     bool starts_anew);

// The clock that says `now` was set by so much, forward if positive: what is measured in spans lies
// where it would if the clock had always said what it says now.
void MoveWithClock(JobPlan* plan, calendar::Instant now, std::int64_t by,
                   std::int64_t longest_rest);

// When a waiting run is due that was queued at `queued_at`, as the clock said then. `fixed`: it was
// asked for at just that time.
constexpr calendar::Instant DueAfterStepBack(calendar::Instant run_at, calendar::Instant queued_at,
                                             calendar::Instant now, bool fixed) {
  return queued_at > now && !fixed ? run_at - (queued_at - now) : run_at;
}

}  // namespace ratchet::policy
