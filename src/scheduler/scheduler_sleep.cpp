// For how long the scheduler may sleep, and rest.
#include <algorithm>

#include "pg/clock.h"
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {
namespace {

// The clock may be set: nobody sleeps for longer than this.
constexpr std::int64_t kLongestSleep = 10 * USECS_PER_SEC;

// Work that waits for a worker is looked at again at least this often.
constexpr std::int64_t kBacklogLook = 5'000;
constexpr std::int64_t kWaitLook = 100'000;
// Work of a role that has all the workers that it may have: what changes that wakes the scheduler,
// and its claim on the next one must be renewed.
constexpr std::int64_t kHeldLook = USECS_PER_SEC;

// Where a schedule cannot be read, a scheduler is there at least this often.
constexpr std::int64_t kRestWithProblems = 60 * USECS_PER_SEC;

}  // namespace

std::int64_t Scheduler::NextWake(const policy::Moment& now) const {
  std::int64_t sleep = kLongestSleep;
  const auto within = [&sleep](std::int64_t span) { sleep = std::min(sleep, span); };
  const auto at = [&](TimestampTz when) {
    within(when != calendar::kNever ? when - now.wall : sleep);
  };
  const auto after = [&](policy::SteadyTime since, std::int64_t span) {
    within(since - now.steady + span);
  };
  within(load_ ? USECS_PER_SEC : desk_.NextLook(now));
  if (MayStart()) {
    at(jobs_.FirstDue());
    at(waiting_.NextLook());
    if (!feeds_.empty()) {
      at(feeds_.begin()->first);
    }
    if (backlog_) {
      within(entry_->waits_for_worker ? kWaitLook : kBacklogLook);
    } else if (entry_->waits_for_worker || starter_.any_starting()) {
      within(kWaitLook);
    }
  }
  if (now.steady < starts_again_at_) {
    after(starts_again_at_, 0);
  }
  if (held_back_) {
    within(kHeldLook);
  }
  if (starter_.is_stuck()) {
    after(starter_.next_look(), 0);
  }
  if (shared_due_.IsSet()) {
    after(shared_due_, 0);
  }
  if (entry_->looks_again_at.IsSet()) {
    after(entry_->looks_again_at, 0);
  }
  if (!unflushed_.empty()) {
    after(unflushed_.front().since, kFlushAfter);
  }
  if (next_limit_.IsSet()) {
    within(next_limit_ - pg::AwakeNow());
  }
  if (!statistics_.empty()) {
    after(statistics_written_, kStatisticsDelay);
  }
  if (counts_due_.IsSet()) {
    after(counts_due_, 0);
  }
  if (purge_.NextTime() != calendar::kNever) {
    within(purge_.NextTime() - entry_->clock.Believed(now));
  }
  at(NextMessageLook(now));
  if (!stale_states_.empty() || gone_owners_.GoesOn()) {
    within(0);
  }
  return std::max<std::int64_t>(sleep, 0);
}

policy::SteadyTime Scheduler::RestUntil(const policy::Moment& now) const {
  if (backlog_ || held_back_ || !flights_.empty() || load_ || !desk_.IsIdle()) {
    return policy::kNoSteadyTime;
  }
  TimestampTz until = std::min<TimestampTz>(jobs_.FirstDue(), waiting_.NextLook());
  if (!feeds_.empty()) {
    until = std::min(until, feeds_.begin()->first);
  }
  until = std::min(until, NextMessageLook(now));
  if (jobs_.problems() > 0) {
    // Nobody else looks whether the zone is back.
    until = std::min(until, now.wall + kRestWithProblems);
  }
  const std::int64_t tasks = desk_.NextLook(now);
  const policy::SteadyTime queues = tasks == INT64_MAX ? policy::kNeverSteady : now.steady + tasks;
  return until == calendar::kNever
             ? queues
             : std::min(queues, now.steady + std::max<std::int64_t>(until - now.wall, 0));
}

}  // namespace ratchet::scheduler
