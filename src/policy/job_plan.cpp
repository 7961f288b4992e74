#include "policy/job_plan.h"

#include <algorithm>

namespace ratchet::policy {

using calendar::Instant;
using calendar::Kind;
using calendar::kNever;

namespace {

// The skips of a job that lives in another environment are summed up this often.
constexpr std::int64_t kExileSummary = calendar::kHour;

// Counting stops here: a job due every second that slept for a year is told as "at least".
constexpr std::int64_t kMostCounted = 1'000'000;

}  // namespace

Instant JobPlan::NextOccurrence() const {
  if (max_runs > 0 && run_count >= max_runs) {
    return kNever;
  }
  Instant next = kNever;
  switch (schedule->kind()) {
    case Kind::kManual:
      break;
    case Kind::kStartup:
      next = watermark < server_start ? server_start : kNever;
      break;
    case Kind::kAfterCompletion: {
      const bool has_run = last_finished > anchor;
      next = !has_run && start_at != 0
                 ? start_at
                 : schedule->NextAfterCompletion(has_run ? last_finished : anchor, *zone);
      // Until the run of the last one has finished, the next one is not known.
      next = next <= watermark ? kNever : next;
      break;
    }
    case Kind::kInterval:
    case Kind::kCron:
    case Kind::kOnce:
      // An occurrence at start_at itself counts.
      next = schedule->Next(
          std::max(watermark, start_at != 0 ? start_at - 1 : calendar::kMinInstant), *zone, anchor);
      break;
  }
  return end_at != 0 && next > end_at ? kNever : next;
}

DueOccurrences JobPlan::Due(Instant now) const {
  const Instant first = NextOccurrence();
  if (first > now) {
    return {0, 0, now};
  }
  if (!schedule->HasFixedTimes()) {
    return {1, first, now};
  }
  const Instant until = end_at != 0 ? std::min(now, end_at) : now;
  const Instant after = std::max(watermark, start_at != 0 ? start_at - 1 : calendar::kMinInstant);
  const std::int64_t count = schedule->Count(after, until, *zone, anchor, kMostCounted);
  return count > 0 ? DueOccurrences{count, schedule->Last(after, until, *zone, anchor), now}
                   : DueOccurrences{1, first, now};
}

Instant JobPlan::NextStart() const {
  if (!enabled || !here) {
    return kNever;
  }
  JobPlan later = *this;
  // Occurrences within a back-off do not start.
  later.watermark = std::max(later.watermark, backoff_until - 1);
  return later.NextOccurrence();
}

Instant JobPlan::LookAt(Instant now) const {
  if (!enabled || held) {
    return kNever;
  }
  const Instant due = NextOccurrence();
  if (due == kNever) {
    return kNever;
  }
  if (!here) {
    return skip_noted ? std::max(due, now + kExileSummary) : due;
  }
  if (backoff_until > now && due < backoff_until) {
    return skip_noted ? backoff_until : due;
  }
  const bool has_backlog = misfire == MisfirePolicy::kAll && due <= claimed_at;
  if (running > 0 &&
      (overlap == Overlap::kQueue || (overlap == Overlap::kSkip && (has_backlog || past_run)))) {
    return kNever;  // looked at again when the run ends
  }
  return due;
}

Step JobPlan::StepInBackOff(const DueOccurrences& due, Instant now) const {
  const DueOccurrences resting = Due(std::min(now, backoff_until - 1));
  if (resting.count > 0) {
    return {Step::Kind::kSkip, SkipReason::kBackOff, resting.count, resting.last, true};
  }
  return backoff_until > now ? Step{} : Step{Step::Kind::kReady, {}, due.count, due.last, false};
}

Step JobPlan::NextStep(Instant now) const {
  const DueOccurrences due = Due(now);
  if (due.count == 0 || !enabled || held) {
    return {};
  }
  if (!here) {
    return {Step::Kind::kSkip, SkipReason::kEnvironment, due.count, due.last, true};
  }
  Step step{Step::Kind::kReady, {}, due.count, due.last, false};
  if (backoff_until != 0 && watermark < backoff_until) {
    step = StepInBackOff(due, now);
  }
  if (step.kind != Step::Kind::kReady || running == 0 || overlap == Overlap::kAllow) {
    return step;
  }
  // An occurrence of the past is not what is due now: this one waits for its end.
  return overlap == Overlap::kQueue || past_run
             ? Step{}
             : Step{Step::Kind::kSkip, SkipReason::kRunning, due.count, due.last, false};
}

// The end of the occurrences that the decision leaves out: the oldest ones.
Instant JobPlan::MissedUntil(const DueOccurrences& due, const MisfireDecision& decision) const {
  switch (decision.run) {
    case Pick::kNone:
      break;
    case Pick::kFirst: {
      // The rest stay due.
      JobPlan walker = *this;
      for (std::int64_t i = 0; i < decision.skip; i++) {
        walker.watermark = walker.NextOccurrence();
      }
      return walker.watermark;
    }
    case Pick::kLast:
      return schedule->Last(
          std::max(watermark, start_at != 0 ? start_at - 1 : calendar::kMinInstant), due.last - 1,
          *zone, anchor);
  }
  return due.last;
}

Start JobPlan::StartAt(Instant now) const {
  const DueOccurrences due = Due(now);
  // What came due during a run of a queueing job waits in line; what was missed for other reasons
  // is a matter of the misfire policy.
  const bool one_by_one =
      overlap == Overlap::kQueue && claimed_at != 0 && NextOccurrence() <= last_finished;
  const MisfireDecision decision =
      DecideMisfire(one_by_one ? MisfirePolicy::kAll : misfire, misfire_limit, due);
  Start start;
  start.skip = decision.skip;
  start.catchup = decision.catchup;
  if (decision.skip > 0) {
    start.skip_until = MissedUntil(due, decision);
  }
  JobPlan rest = *this;
  rest.watermark = std::max(watermark, start.skip_until);
  switch (decision.run) {
    case Pick::kNone:
      break;
    case Pick::kFirst:
      start.run = rest.NextOccurrence();
      break;
    case Pick::kLast:
      start.run = due.last;
      break;
  }
  return start;
}

void ForgetTheFuture(JobPlan* plan, Instant now, std::int64_t longest_rest) {
  if (plan->start_at == 0 && plan->anchor > now) {
    plan->anchor = plan->schedule->kind() == Kind::kInterval
                       ? plan->schedule->AnchorBefore(now, *plan->zone, plan->anchor)
                       : now;
  }
  switch (plan->schedule->kind()) {
    case Kind::kInterval:
    case Kind::kCron:
      if (!plan->schedule->MeansWallClock() || plan->watermark - now > kLongestStepBack) {
        plan->watermark = std::min(plan->watermark, now);
      }
      break;
    case Kind::kAfterCompletion:
      plan->watermark = std::min(plan->watermark, now);
      break;
    case Kind::kOnce:
    case Kind::kManual:
    case Kind::kStartup:
      break;  // what comes once does not come twice
  }
  plan->last_finished = std::min(plan->last_finished, now);
  plan->claimed_at = std::min(plan->claimed_at, now);
  if (plan->backoff_until > now) {
    plan->backoff_until = std::min(plan->backoff_until, now + longest_rest);
  }
}

}  // namespace ratchet::policy
