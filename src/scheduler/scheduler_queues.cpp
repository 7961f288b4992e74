// Runs that do the tasks of queues: the desk says how many are worth having, and here they start as
// other runs do.
#include "scheduler/scheduler.h"

#include "catalog/numbers.h"
#include "process/recover.h"
#include "scheduler/bounded_waits.h"

namespace ratchet::scheduler {
namespace {

// After an error the desk leaves the tables alone for so long.
constexpr std::int64_t kPauseAfterError = 2 * USECS_PER_SEC;

// A run of a queue fails as a whole when it is not its tasks: the handler, or what it needs. So it
// rests for 1, 2, 4, ... seconds, up to ten minutes; its tasks have attempts of their own.
constexpr policy::Backoff kBetweenFailedRuns{500'000, 2, 600 * USECS_PER_SEC, 0};

// A task that takes the server down is found by halves of what was in hand, and tried a few times
// more: until then a rest would only keep the others waiting.
constexpr std::int32_t kFreeCrashes = 12;

}  // namespace

void Scheduler::ServeQueues() {
  if (load_) {
    return;
  }
  if (!desk_.IsOpen()) {
    desk_.Open(incarnation_, environment_);
  }
  try {
    desk_.Pass(clock_, MayStart());
  } catch (const ExtensionReplaced&) {
    throw;
  } catch (const std::exception& error) {
    desk_.Rest(clock_.steady + kPauseAfterError);
    TakeEndedWait();
    process::ReportAndRecover("handing out tasks", error);
    ForgetLateTimeout();
  }
}

void Scheduler::FollowQueues(TimestampTz now) {
  for (const board::Change& change : changes_) {
    if (change.kind != board::Change::kJob) {
      continue;
    }
    const std::uint32_t index = jobs_.Find(change.id);
    const bool is_queue = index != JobTable::kNoJob && jobs_[index].queue;
    if (is_queue || desk_.Knows(change.id)) {
      desk_.NoteDefinition(change.id);
    }
    if (is_queue) {
      // What has made its runs fail may have been mended.
      jobs_[index].backoff_until = 0;
      for (const std::int64_t run_id : waiting_.Of(change.id).all) {
        if (waiting_.At(run_id).place == Place::kOut) {
          waiting_.LookAt(run_id, now);
        }
      }
    }
  }
  if (!MayStart()) {
    return;
  }
  for (const QueueDesk::Wanted& wanted : desk_.wanted()) {
    const std::uint32_t index = jobs_.Find(wanted.queue_id);
    if (index == JobTable::kNoJob || jobs_[index].quarantined) {
      continue;
    }
    const auto waiting = static_cast<int>(waiting_.Of(wanted.queue_id).all.size());
    if (jobs_[index].running + waiting < wanted.stretches) {
      StartStretch(index, now);
    }
  }
}

void Scheduler::StartStretch(std::uint32_t index, TimestampTz now) {
  const Job& job = jobs_[index];
  catalog::QueuedRun run;
  run.job_id = job.job_id;
  run.owner = job.owner;
  run.cause = policy::Cause::kQueue;
  run.scheduled_at = now;
  run.run_at = std::max<TimestampTz>(now, job.backoff_until);
  run.queued_at = now;
  Begin();
  catalog::NumberRun(&run);
  Queue(std::move(run));
}

policy::RetryRules Scheduler::RetryRulesOf(const Job& job) const {
  return job.queue ? policy::RetryRules{kBetweenFailedRuns, 1, false, kFreeCrashes}
                   : jobs_.RulesOf(job).retry;
}

}  // namespace ratchet::scheduler
