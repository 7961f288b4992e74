// What follows from the end of a run: does the job rest, is the occurrence tried again?
#pragma once

#include <cstdint>

#include "policy/backoff.h"
#include "policy/retry_class.h"
#include "policy/run.h"

namespace ratchet::policy {

// Where the job stands. Instants are microseconds since 2000-01-01 UTC, 0: none.
struct Standing {
  std::int32_t consecutive_failures = 0;
  std::int32_t crash_streak = 0;
  std::int64_t backoff_until = 0;

  friend bool operator==(const Standing&, const Standing&) = default;
};

struct RetryRules {
  Backoff backoff;
  std::int32_t max_attempts = 1;
  bool resume_after_crash = true;
  // So many crashes in a row are followed by no rest.
  std::int32_t free_crashes = 1;
};

// What a run was for.
enum class Work : std::uint8_t {
  kOccurrence,
  kItems,   // a new try of the items that an earlier run left behind as failed
  kReplay,  // of an earlier run
};

struct EndedAttempt {
  RunStatus status = RunStatus::kSucceeded;
  std::int32_t attempt = 1;
  bool progressed = false;  // some of its work was committed
  bool dry_run = false;
  std::int64_t finished_at = 0;
  std::int64_t started_at = 0;
  Work work = Work::kOccurrence;
  bool left_items = false;  // some of its items failed while their neighbours were done
  RetryClass error = RetryClass::kBackOff;  // of a failed run
  bool by_stop = false;                     // the server was shut down (planned_stop.h)
  bool batches = false;  // it knows itself where to go on, and what it has not come to is not done
};

// A run that crashed, or was stopped, is not claimed again within this time (microseconds): its
// worker may have been the first process to go of a server that is shutting down, and a claim that
// dies with it would look like a second crash.
constexpr std::int64_t kCrashPause = 100'000;

// A run that ends with work left goes on at once, but starts no sooner than this after its last
// start (microseconds): one that always says so is no storm.
constexpr std::int64_t kPartialPause = 1'000'000;

struct Verdict {
  Standing standing;
  bool again = false;         // the same occurrence is taken up again
  bool items_only = false;    // of which only the items that failed
  std::int64_t again_at = 0;  // not before
  std::int32_t next_attempt = 1;
  Cause cause = Cause::kRetry;
  // Besides: the items that this run left behind as failed, for whoever goes on will not meet them.
  bool items_too = false;
  std::int64_t items_at = 0;
  std::int32_t items_attempt = 1;
};

// - A success ends back-off. So does `partial`, which goes on as long as it makes progress. A batch
//   job that was kept from doing anything goes on after a rest.
// - A failure adds to the row of failures and rests the job; the occurrence is tried again after
//   the rest while it has attempts left. What its error says about the next attempt goes before: an
//   error of the moment is tried again soon, and one that would come again is not tried again.
// - A crash is taken up after a moment, whatever max_attempts says; from the second in a row
//   without progress after a rest.
// - The failed items of a run are tried again after a rest while it has attempts left, also when
//   the run itself did not come to its end. Runs that do just that, and replays, change nothing in
//   the job's standing. A replay is taken up after a crash and goes on with work that remains, and
//   is not tried again otherwise.
// - A cancel changes nothing: somebody wanted this run to stop, not the job to rest.
// - A planned stop of the server changes nothing either. What it has ended goes on after the start:
// a
//   run that is `partial` in any case, others as after a crash, and as the same attempt.
Verdict AfterRun(const Standing& before, const RetryRules& rules, const EndedAttempt& ended,
                 double unit);

}  // namespace ratchet::policy
