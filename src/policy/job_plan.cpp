#include "policy/job_plan.h"

#include <algorithm>

#include "policy/idle_pause.h"

namespace ratchet::policy {

using calendar::Instant;
using calendar::Kind;
using calendar::kNever;

namespace {

// The skips of a job that lives in another environment, or waits for others, are summed up this
// often.
constexpr std::int64_t kSummary = calendar::kHour;

// Counting stops here: a job due every second that slept for a year is told as "at least".
constexpr std::int64_t kMostCounted = 1'000'000;

}  // namespace

calendar::OpenTimeline JobPlan::Occurrences() const {
  return {calendar::Timeline(*schedule, *zone, anchor, start_at, end_at, anchor, left_out), window,
          *zone};
}

Instant JobPlan::NextOccurrence() const {
  if (max_runs > 0 && run_count >= max_runs) {
    return kNever;
  }
  if (schedule->HasFixedTimes()) {
    return Occurrences().Next(watermark);
  }
  const Instant next = NextOfRuns();
  return end_at != 0 && next > end_at ? kNever : next;
}

// Of a schedule that goes by what runs. Nothing is due while one does; a rest after failures puts
// the next one off, for there is none in between that could be left out.
Instant JobPlan::NextOfRuns() const {
  if (schedule->kind() == Kind::kStartup) {
    return watermark < server_start ? server_start : kNever;
  }
  if (schedule->kind() == Kind::kManual || running > 0) {
    return kNever;
  }
  const bool is_continuous = schedule->kind() == Kind::kContinuous;
  Instant next =
      is_continuous || start_at != 0 ? anchor : schedule->NextAfterCompletion(anchor, *zone);
  if (last_finished > anchor) {
    next = is_continuous ? last_finished + IdlePause(empty_runs)
                         : schedule->NextAfterCompletion(last_finished, *zone);
  }
  if (next <= watermark) {
    // It was left out.
    next = is_continuous ? watermark + 1 : schedule->NextAfterCompletion(watermark, *zone);
  }
  return std::max(next, backoff_until);
}

DueOccurrences JobPlan::Due(Instant now) const {
  const Instant first = NextOccurrence();
  if (first > now) {
    return {0, 0, now};
  }
  if (!schedule->HasFixedTimes()) {
    return {1, first, now};
  }
  const calendar::OpenTimeline open = Occurrences();
  if (open.Next(first) > now) {
    return {1, first, now};  // on time, as nearly always: nothing to count
  }
  const std::int64_t count = open.Count(watermark, now, kMostCounted);
  return count > 0 ? DueOccurrences{count, open.Last(watermark, now), now}
                   : DueOccurrences{1, first, now};
}

calendar::ClosedOccurrences JobPlan::ClosedUpTo(Instant until) const {
  if (window == nullptr || !schedule->HasFixedTimes()) {
    return {};
  }
  return Occurrences().Closed(watermark, until, kMostCounted);
}

Instant JobPlan::NextStart() const {
  if (!enabled || !here) {
    return kNever;
  }
  JobPlan later = *this;
  // Occurrences within a back-off do not start.
  later.watermark = std::max(later.watermark, backoff_until - 1);
  return Opening(later.NextOccurrence());
}

Instant JobPlan::Opening(Instant t) const {
  return window == nullptr || t == kNever ? t : window->NextOpening(t, *zone);
}

Instant JobPlan::ClosesAt(Instant t) const {
  return window == nullptr ? kNever : window->ClosesAt(t, *zone);
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
    return skip_noted ? std::max(due, now + kSummary) : due;
  }
  if (backoff_until > now && due < backoff_until) {
    return skip_noted ? backoff_until : due;
  }
  const bool has_backlog = misfire == MisfirePolicy::kAll && due <= claimed_at;
  if (running > 0 &&
      (overlap == Overlap::kQueue || (overlap == Overlap::kSkip && (has_backlog || past_run)))) {
    return kNever;  // looked at again when the run ends
  }
  if (is_child && !parents_ready && due <= now) {
    return LookAtWaiting(due);
  }
  const Instant opening = Opening(std::max(due, now));
  return opening == now ? due : opening;
}

// Of an occurrence that waits for the parents, if they do not succeed before: when the next one
// takes its place, and from then on to sum up.
Instant JobPlan::LookAtWaiting(Instant due) const {
  JobPlan later = *this;
  later.watermark = due;
  const Instant next = later.NextOccurrence();
  // Not from now on: whatever makes the scheduler look at the job again would put it off.
  return skip_noted && next != kNever ? std::max(next, watermark + kSummary) : next;
}

Step JobPlan::SkipStep(SkipReason reason, Instant now) const {
  return SkipStep(reason, Due(now), false);
}

Step JobPlan::SkipStep(SkipReason reason, const DueOccurrences& due, bool is_first) const {
  const Instant until = SettledBy(due);
  return {Step::Kind::kSkip, reason,           due.count, NextOccurrence(), until,
          is_first,          ClosedUpTo(until)};
}

// What goes by what runs goes on from now when it has been left out.
Instant JobPlan::SettledBy(const DueOccurrences& due) const {
  return schedule->HasFixedTimes() ? due.last : due.now;
}

Step JobPlan::NextStep(Instant now) const {
  const DueOccurrences due = Due(now);
  if (due.count == 0 || !enabled || held) {
    return {};
  }
  if (!here) {
    return SkipStep(SkipReason::kEnvironment, due, true);
  }
  if (backoff_until != 0 && watermark < backoff_until) {
    const DueOccurrences resting = Due(std::min(now, backoff_until - 1));
    if (resting.count > 0) {
      return SkipStep(SkipReason::kBackOff, resting, true);
    }
    if (backoff_until > now) {
      return {};
    }
  }
  if (is_child) {
    // Of those that had to wait for the parents the latest waits on, or starts.
    const DueOccurrences waited = parents_ready ? Due(std::min(now, ready_since)) : due;
    if (waited.count > 1) {
      const Instant until = Occurrences().Last(watermark, waited.last - 1);
      return SkipStep(SkipReason::kParents, {waited.count - 1, until, now}, !parents_ready);
    }
    if (!parents_ready) {
      return {};
    }
  }
  if (running > 0 && overlap != Overlap::kAllow) {
    // An occurrence of the past is not what is due now: this one waits for its end.
    return overlap == Overlap::kQueue || past_run ? Step{}
                                                  : SkipStep(SkipReason::kRunning, due, false);
  }
  if (!IsOpen(now)) {
    return {};
  }
  return {Step::Kind::kReady, {}, due.count, 0, due.last, false, {}};
}

// The end of the occurrences that the decision leaves out: the oldest ones.
Instant JobPlan::MissedUntil(const DueOccurrences& due, const MisfireDecision& decision) const {
  const calendar::OpenTimeline open = Occurrences();
  switch (decision.run) {
    case Pick::kNone:
      break;
    case Pick::kFirst: {
      // The rest stay due.
      if (due.count >= kMostCounted) {
        // There may be more than were counted: the newest ones stay.
        Instant first = due.last;
        for (std::int64_t i = due.count - decision.skip; i > 0; i--) {
          first = open.Last(watermark, first - 1);
        }
        return first;
      }
      Instant last = watermark;
      for (std::int64_t i = 0; i < decision.skip; i++) {
        last = open.Next(last);
      }
      return last;
    }
    case Pick::kLast:
      return open.Last(watermark, due.last - 1);
  }
  return SettledBy(due);
}

Start JobPlan::StartAt(const Step& ready, Instant now) const {
  const DueOccurrences due{ready.count, ready.until, now};
  // One that had to wait for the parents is not late by that.
  const DueOccurrences since_it_could = {
      due.count, is_child ? std::max(due.last, ready_since) : due.last, now};
  // What came due during a run of a queueing job waits in line; what was missed for other reasons
  // is a matter of the misfire policy.
  const bool one_by_one =
      overlap == Overlap::kQueue && claimed_at != 0 && NextOccurrence() <= last_finished;
  const MisfireDecision decision =
      DecideMisfire(one_by_one ? MisfirePolicy::kAll : misfire, misfire_limit, since_it_could);
  Start start;
  start.skip = decision.skip;
  start.catchup = decision.catchup;
  if (decision.skip > 0) {
    start.skip_first = NextOccurrence();
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
  start.closed = ClosedUpTo(start.run != kNever ? start.run : start.skip_until);
  return start;
}

// Where a job that goes by elapsed time stands, if what it has accounted for seems to lie in the
// future. `at` is where that lies by the clock as it is now. An occurrence that would come too soon
// after is the one that it was.
Instant JobPlan::Remembered(Instant at) const {
  const calendar::OpenTimeline open = Occurrences();
  const Instant first = open.Next(at);
  if (first > watermark) {
    return at;
  }
  const Instant second = open.Next(first);
  const bool is_soon = second == kNever || first - at < (second - first) / 2;
  return is_soon ? first : at;
}

void ForgetTheFuture(JobPlan* plan, Instant now, std::int64_t longest_rest, bool starts_anew) {
  const bool is_of_future = plan->start_at == 0 && plan->anchor > now;
  const bool is_interval = plan->schedule->kind() == Kind::kInterval;
  if (is_of_future) {
    plan->anchor = is_interval ? plan->schedule->AnchorBefore(now, *plan->zone, plan->anchor) : now;
  }
  plan->TakeWatermark(now, now, starts_anew);
  plan->last_finished = std::min(plan->last_finished, now);
  if (is_of_future && !is_interval) {
    // From what is known, not from now on: that would come again with each scheduler, until the
    // clock has caught up.
    const Instant known = plan->schedule->HasFixedTimes()
                              ? plan->watermark
                              : std::max(plan->watermark, plan->last_finished) - 1;
    plan->anchor = known > 0 ? std::min(known, now) : now;
  }
  plan->claimed_at = std::min(plan->claimed_at, now);
  if (plan->backoff_until > now) {
    plan->backoff_until = std::min(plan->backoff_until, now + longest_rest);
  }
}

void JobPlan::TakeWatermark(Instant at, Instant now, bool starts_anew) {
  const std::int64_t ahead = watermark - now;
  if (ahead <= 0) {
    return;
  }
  switch (schedule->kind()) {
    case Kind::kInterval:
    case Kind::kCron:
    case Kind::kRule:
      if (schedule->MeansWallClock()) {
        watermark = ahead > kLongestStepBack ? now : watermark;
      } else if (ahead > kSwing) {
        watermark = Remembered(at);
      }
      break;
    case Kind::kAfterCompletion:
    case Kind::kContinuous:
      watermark = now;
      break;
    case Kind::kStartup:
      // Of another start, by a clock that was ahead of this one.
      watermark = starts_anew ? std::min(watermark, server_start - 1) : watermark;
      break;
    case Kind::kOnce:
    case Kind::kManual:
      break;  // what comes once does not come twice
  }
}

void MoveWithClock(JobPlan* plan, Instant now, std::int64_t by, std::int64_t longest_rest) {
  const auto move = [by](Instant* at) { *at = *at != 0 ? std::max(*at + by, Instant{1}) : 0; };
  move(&plan->last_finished);
  move(&plan->claimed_at);
  move(&plan->backoff_until);
  const Kind kind = plan->schedule->kind();
  if (kind == Kind::kAfterCompletion || kind == Kind::kContinuous) {
    plan->watermark += by;
    plan->anchor += plan->start_at == 0 ? by : 0;
  } else if (by < 0) {
    plan->TakeWatermark(std::min(plan->watermark + by, now), now, false);
  }
  ForgetTheFuture(plan, now, longest_rest, false);
}

}  // namespace ratchet::policy
