#include "policy/after_run.h"

#include <algorithm>

namespace ratchet::policy {
namespace {

void AfterCrash(const RetryRules& rules, const EndedAttempt& ended, double unit, Verdict* verdict) {
  Standing& standing = verdict->standing;
  standing.consecutive_failures++;
  standing.crash_streak = ended.progressed ? 1 : standing.crash_streak + 1;
  verdict->again = rules.resume_after_crash;
  verdict->again_at = ended.finished_at + kCrashPause;
  verdict->next_attempt = ended.attempt + 1;
  if (standing.crash_streak > rules.free_crashes) {
    verdict->again_at +=
        BackoffDelay(rules.backoff, standing.crash_streak - rules.free_crashes, unit);
    standing.backoff_until = verdict->again_at;
  }
}

void GoOn(const RetryRules& rules, const EndedAttempt& ended, double unit, Verdict* verdict) {
  verdict->again = ended.progressed || ended.batches;
  verdict->again_at = ended.progressed
                          ? std::max(ended.finished_at, ended.started_at + kPartialPause)
                          : ended.finished_at + BackoffDelay(rules.backoff, 1, unit);
  verdict->next_attempt = ended.attempt;
  verdict->cause = Cause::kCatchup;
}

void GoOnAfterStop(const RetryRules& rules, const EndedAttempt& ended, Verdict* verdict) {
  const bool is_partial = ended.status == RunStatus::kPartial;
  verdict->again = is_partial || rules.resume_after_crash;
  verdict->again_at = ended.finished_at + kCrashPause;
  verdict->next_attempt = ended.attempt;
  verdict->cause = is_partial ? Cause::kCatchup : Cause::kRetry;
}

void TryItemsAgain(const RetryRules& rules, const EndedAttempt& ended, double unit,
                   Verdict* verdict) {
  // Attempts at the run, which may have crashed before, are none at its items.
  const std::int32_t attempt = ended.work == Work::kItems ? ended.attempt : 1;
  if (ended.left_items && attempt < rules.max_attempts) {
    verdict->again = true;
    verdict->items_only = true;
    verdict->again_at = ended.finished_at + BackoffDelay(rules.backoff, attempt, unit);
    verdict->next_attempt = attempt + 1;
  }
}

// The same for a run that did not come to its end, beside what becomes of itself.
void TryItemsToo(const RetryRules& rules, const EndedAttempt& ended, double unit,
                 Verdict* verdict) {
  constexpr std::int32_t kFirstAttempt = 1;
  if (ended.left_items && rules.max_attempts > kFirstAttempt) {
    verdict->items_too = true;
    verdict->items_at = ended.finished_at + BackoffDelay(rules.backoff, kFirstAttempt, unit);
    verdict->items_attempt = kFirstAttempt + 1;
  }
}

bool MayTryAgain(const RetryRules& rules, const EndedAttempt& ended) {
  return ended.attempt < rules.max_attempts && ended.error != RetryClass::kNever;
}

// Never longer than the job's own rest, which somebody may have made a short one.
std::int64_t RetryDelay(const RetryRules& rules, const EndedAttempt& ended, std::int32_t failures,
                        bool again, double unit) {
  const std::int64_t rest = BackoffDelay(rules.backoff, failures, unit);
  return again && ended.error == RetryClass::kSoon ? std::min(rest, SoonDelay(ended.attempt, unit))
                                                   : rest;
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
      GoOn(rules, ended, unit, &verdict);
      break;
    case RunStatus::kFailed:
    case RunStatus::kTimedOut:
      verdict.again = !is_replay && MayTryAgain(rules, ended);
      verdict.again_at =
          ended.finished_at + RetryDelay(rules, ended, ended.attempt, verdict.again, unit);
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
  if (ended.by_stop) {
    GoOnAfterStop(rules, ended, &verdict);
    if (ended.work == Work::kOccurrence) {
      TryItemsToo(rules, ended, unit, &verdict);
    }
    return verdict;
  }
  if (ended.work != Work::kOccurrence) {
    return AfterRunBeside(before, rules, ended, unit);
  }
  if (ended.status != RunStatus::kSucceeded) {
    TryItemsToo(rules, ended, unit, &verdict);
  }
  switch (ended.status) {
    case RunStatus::kSucceeded:
      verdict.standing = {};
      TryItemsAgain(rules, ended, unit, &verdict);
      break;
    case RunStatus::kPartial:
      verdict.standing = {};
      GoOn(rules, ended, unit, &verdict);
      break;
    case RunStatus::kFailed:
    case RunStatus::kTimedOut:
      verdict.standing.crash_streak = 0;
      verdict.standing.consecutive_failures++;
      verdict.again = MayTryAgain(rules, ended);
      verdict.standing.backoff_until =
          ended.finished_at +
          RetryDelay(rules, ended, verdict.standing.consecutive_failures, verdict.again, unit);
      verdict.again_at = verdict.standing.backoff_until;
      verdict.next_attempt = ended.attempt + 1;
      break;
    case RunStatus::kCrashed:
      AfterCrash(rules, ended, unit, &verdict);
      break;
    case RunStatus::kCanceled:
    case RunStatus::kSkipped:
    case RunStatus::kQueued:
    case RunStatus::kRunning:
      break;
  }
  return verdict;
}

}  // namespace ratchet::policy
