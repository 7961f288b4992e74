#include "policy/task_outcome.h"

#include <algorithm>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kAfterFirstCrash = 100'000;  // microseconds

calendar::Instant After(calendar::Instant now, std::int64_t rest) {
  return rest > INT64_MAX - now ? INT64_MAX : now + rest;
}

void AfterFailure(const TaskRules& rules, const EndedTask& ended, double unit,
                  TaskVerdict* verdict) {
  TaskStanding& standing = verdict->standing;
  standing.attempts++;
  standing.alone = standing.alone && standing.crashes > 0;
  if (standing.attempts >= rules.max_attempts) {
    verdict->next = TaskVerdict::Next::kDead;
    return;
  }
  verdict->next = TaskVerdict::Next::kAgain;
  if (ended.asked != 0) {
    verdict->run_at = ended.asked;
    return;
  }
  std::int64_t rest = BackoffDelay(rules.backoff, standing.attempts, unit);
  if (ended.error == RetryClass::kSoon) {
    rest = std::min(rest, SoonDelay(standing.attempts, unit));
  }
  verdict->run_at = After(ended.ended_at, rest);
}

void AfterCrash(const TaskRules& rules, const EndedTask& ended, double unit, TaskVerdict* verdict) {
  TaskStanding& standing = verdict->standing;
  standing.alone = true;
  standing.crashes++;
  if (standing.crashes >= rules.max_crashes) {
    verdict->next = TaskVerdict::Next::kDead;
    return;
  }
  verdict->next = TaskVerdict::Next::kAgain;
  verdict->run_at =
      After(ended.ended_at, standing.crashes == 1
                                ? kAfterFirstCrash
                                : BackoffDelay(rules.backoff, standing.crashes - 1, unit));
}

}  // namespace

TaskVerdict AfterAttempt(const TaskStanding& before, const TaskRules& rules, const EndedTask& ended,
                         double unit) {
  TaskVerdict verdict;
  verdict.standing = before;
  switch (ended.end) {
    case AttemptEnd::kDone:
      verdict.standing.attempts++;
      break;
    case AttemptEnd::kFailed:
      AfterFailure(rules, ended, unit, &verdict);
      break;
    case AttemptEnd::kSnoozed:
      verdict.next = TaskVerdict::Next::kAgain;
      verdict.run_at = ended.asked;
      break;
    case AttemptEnd::kDiscarded:
      verdict.next = TaskVerdict::Next::kDead;
      verdict.standing.attempts++;
      break;
    case AttemptEnd::kNotDone:
      verdict.next = TaskVerdict::Next::kAgain;
      break;
    case AttemptEnd::kCrashedAlone:
      AfterCrash(rules, ended, unit, &verdict);
      break;
    case AttemptEnd::kCrashedTogether:
      verdict.next = TaskVerdict::Next::kAgain;
      verdict.standing.alone = true;
      break;
  }
  return verdict;
}

}  // namespace ratchet::policy
