#include "policy/after_run.h"

#include <algorithm>

namespace ratchet::policy {
namespace {

Verdict AfterCrash(const Standing& before, const RetryRules& rules, const EndedAttempt& ended,
                   double unit) {
  Verdict verdict;
  verdict.standing = before;
  verdict.standing.consecutive_failures++;
  verdict.standing.crash_streak = ended.progressed ? 1 : before.crash_streak + 1;
  verdict.again = rules.resume_after_crash;
  verdict.again_at = ended.finished_at + kCrashPause;
  verdict.next_attempt = ended.attempt + 1;
  if (verdict.standing.crash_streak > 1) {
    verdict.again_at += BackoffDelay(rules.backoff, verdict.standing.crash_streak - 1, unit);
    verdict.standing.backoff_until = verdict.again_at;
  }
  return verdict;
}

void GoOn(const EndedAttempt& ended, Verdict* verdict) {
  verdict->again = ended.progressed;
  verdict->again_at = std::max(ended.finished_at, ended.started_at + kPartialPause);
  verdict->next_attempt = ended.attempt;
  verdict->cause = Cause::kCatchup;
}

void TryItemsAgain(const RetryRules& rules, const EndedAttempt& ended, double unit,
                   Verdict* verdict) {
  if (ended.left_items && ended.attempt < rules.max_attempts) {
    verdict->again = true;
    verdict->items_only = true;
    verdict->again_at = ended.finished_at + BackoffDelay(rules.backoff, ended.attempt, unit);
    verdict->next_attempt = ended.attempt + 1;
  }
}

// A run that is not the schedule's own work. Its attempts stand for the failures in a row.
Verdict AfterRunBeside(const Standing& before, const RetryRules& rules, const EndedAttempt& ended,
                       double unit) {
  Verdict verdict;
  verdict.standing = before;
  verdict.next_attempt = ended.attempt + 1;
  const bool is_replay = ended.work == Work::kReplay;
  switch (ended.status) {
    case RunStatus::kSucceeded:
      if (!is_replay) {
        TryItemsAgain(rules, ended, unit, &verdict);
      }
      break;
    case RunStatus::kPartial:
      GoOn(ended, &verdict);
      break;
    case RunStatus::kFailed:
    case RunStatus::kTimedOut:
      verdict.again = !is_replay && ended.attempt < rules.max_attempts;
      verdict.again_at = ended.finished_at + BackoffDelay(rules.backoff, ended.attempt, unit);
      break;
    case RunStatus::kCrashed:
      verdict.again = rules.resume_after_crash;
      verdict.again_at = ended.finished_at + kCrashPause;
      if (ended.attempt > 1 && !ended.progressed) {
        verdict.again_at += BackoffDelay(rules.backoff, ended.attempt - 1, unit);
      }
      break;
    case RunStatus::kCanceled:
    case RunStatus::kSkipped:
    case RunStatus::kQueued:
    case RunStatus::kRunning:
      break;
  }
  return verdict;
}

}  // namespace

Verdict AfterRun(const Standing& before, const RetryRules& rules, const EndedAttempt& ended,
                 double unit) {
  Verdict verdict;
  verdict.standing = before;
  if (ended.dry_run) {
    return verdict;
  }
  if (ended.work != Work::kOccurrence) {
    return AfterRunBeside(before, rules, ended, unit);
  }
  switch (ended.status) {
    case RunStatus::kSucceeded:
      verdict.standing = {};
      TryItemsAgain(rules, ended, unit, &verdict);
      break;
    case RunStatus::kPartial:
      verdict.standing = {};
      GoOn(ended, &verdict);
      break;
    case RunStatus::kFailed:
    case RunStatus::kTimedOut:
      verdict.standing.crash_streak = 0;
      verdict.standing.consecutive_failures++;
      verdict.standing.backoff_until =
          ended.finished_at +
          BackoffDelay(rules.backoff, verdict.standing.consecutive_failures, unit);
      verdict.again = ended.attempt < rules.max_attempts;
      verdict.again_at = verdict.standing.backoff_until;
      verdict.next_attempt = ended.attempt + 1;
      break;
    case RunStatus::kCrashed:
      return AfterCrash(before, rules, ended, unit);
    case RunStatus::kCanceled:
    case RunStatus::kSkipped:
    case RunStatus::kQueued:
    case RunStatus::kRunning:
      break;
  }
  return verdict;
}

}  // namespace ratchet::policy
