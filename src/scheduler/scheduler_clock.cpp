// What follows when the wall clock is set. Times in tables and in the scheduler's picture are those
// of the calendar. Of them, the ends of spans move with the clock, and what is due by the calendar
// is computed anew.
#include <cstdlib>

#include "scheduler/scheduler.h"

namespace ratchet::scheduler {

// Notices that the clock was set since the last pass, be it one of an earlier scheduler.
void Scheduler::LookAtClock() {
  starts_anew_ = starts_anew_ || !entry_->clock.HasLooked();
  const std::int64_t by = entry_->clock.Look(clock_);
  clock_set_by_ += by;
  if (by != 0 && board::IsFirstToNotice(clock_)) {
    ereport(LOG,
            (errmsg("the clock was set %s by %lld seconds: all jobs are looked at again",
                    by > 0 ? "forward" : "back",
                    static_cast<long long>((std::abs(by) + USECS_PER_SEC / 2) / USECS_PER_SEC)),
             by > 0 ? errhint("History is not purged by this clock before it has been right for "
                              "a day.")
                    : 0));
  }
}

// The picture is the one of before.
void Scheduler::TakeClock() {
  if (clock_set_by_ == 0) {
    return;
  }
  const TimestampTz now = clock_.wall;
  waiting_.MoveWithClock(clock_set_by_, IsForFixedTime);
  TakeClockOfJobs(false);
  for (std::uint32_t i = 0; i < jobs_.end(); i++) {
    if (jobs_[i].alive) {
      Reconsider(i, now);
    }
  }
  purge_.Clear();
  purge_.ScanAt(entry_->clock.Believed(clock_));
  clock_set_by_ = 0;
}

void Scheduler::TakeClockOfJobs(bool starts_anew) {
  std::int64_t of_future = 0;
  const char* one = nullptr;
  for (std::uint32_t i = 0; i < jobs_.end(); i++) {
    Job& job = jobs_[i];
    if (!job.alive) {
      continue;
    }
    const bool was_ahead = job.watermark > clock_.wall + policy::kSwing;
    if (!jobs_.TakeClock(i, clock_.wall, clock_set_by_, starts_anew)) {
      continue;
    }
    stale_states_.push_back(job.job_id);
    if (was_ahead) {
      of_future++;
      one = job.name;
    }
  }
  if (of_future > 0 && clock_set_by_ == 0) {
    ereport(LOG, (errmsg("%lld jobs have run at times that lie in the future, and are planned anew "
                         "from now",
                         static_cast<long long>(of_future)),
                  errdetail("One of them is \"%s\".", one),
                  errhint("The clock may have been set back while no scheduler was there, or be "
                          "behind that of the server that was the primary before.")));
  }
}

// It was asked for at just that time, and does not wait for anything.
bool Scheduler::IsForFixedTime(const catalog::QueuedRun& run) {
  return run.cause == policy::Cause::kTrigger && !run.on_change && run.run_at > run.queued_at;
}

}  // namespace ratchet::scheduler
