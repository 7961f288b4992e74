// What follows from the end of an attempt at a task.
#pragma once

#include <cstdint>

#include "calendar/instant.h"
#include "policy/backoff.h"
#include "policy/retry_class.h"

namespace ratchet::policy {

struct TaskRules {
  Backoff backoff;
  std::int32_t max_attempts = 10;
  std::int32_t max_crashes = 3;
};

struct TaskStanding {
  std::int32_t attempts = 0;  // that came to an end, well or not
  std::int32_t crashes = 0;   // of processes that had nothing but this task in hand
  bool alone = false;         // its process died with it, perhaps by it: nothing is done beside it

  friend bool operator==(const TaskStanding&, const TaskStanding&) = default;
};

enum class AttemptEnd : std::uint8_t {
  kDone,
  kFailed,
  kSnoozed,          // by the handler, which has not failed
  kDiscarded,        // by the handler: it will never succeed
  kNotDone,          // nothing of it is left, and it is not to blame: a stop, a deadlock
  kCrashedAlone,     // its process died
  kCrashedTogether,  // so did that of all tasks of a batch, one of which may be to blame
};

struct EndedTask {
  AttemptEnd end = AttemptEnd::kDone;
  RetryClass error = RetryClass::kBackOff;  // of a failed one
  // When the handler or the consumer wants it again: of one that was snoozed, and of one that has
  // failed, where 0 leaves it to the rules. Wall clock.
  calendar::Instant asked = 0;
  calendar::Instant ended_at = 0;
};

struct TaskVerdict {
  enum class Next : std::uint8_t {
    kCompleted,
    kAgain,  // not before run_at
    kDead,
  };
  Next next = Next::kCompleted;
  TaskStanding standing;
  calendar::Instant run_at = 0;  // 0: at once
};

// - A failure counts as an attempt. While there are attempts left it is tried again after a rest,
//   which gets longer; soon, when its error was one of the moment. An error that would come again
//   (a name that is not there, a missing privilege) is the handler's, and no reason to set its
//   tasks aside faster than others: who mends the handler finds them.
// - A snooze and what was not done change nothing but the time.
// - A crash is no attempt. That of a batch counts for none of its tasks; each is done alone, and
// one
//   that dies again is known. The first such crash is followed by a moment's rest, further ones by
//   longer ones, and that which makes max_crashes by none.
// - One that has failed without a crash is not done alone any more, if it never crashed.
// unit: random, [0, 1).
TaskVerdict AfterAttempt(const TaskStanding& before, const TaskRules& rules, const EndedTask& ended,
                         double unit);

}  // namespace ratchet::policy
