// Backfills: occurrences of the past get in line one after the other.
//
// A backfill has one run queued or under way, of a job that may overlap a few. An ordinary
// occurrence that comes due meanwhile goes before the next one; so do retries. A backfill that
// holds the schedule also moves the job's own clock, so that the schedule goes on just behind it.
#include <algorithm>

#include "scheduler/scheduler.h"

#include "catalog/numbers.h"

#include "pg/settings.h"

namespace ratchet::scheduler {
namespace {

// A backfill that a session holds is looked at again after this time.
constexpr std::int64_t kLookAgain = 100'000;

}  // namespace

void Scheduler::LoadBackfills(TimestampTz now) {
  std::vector<catalog::Backfill> all;
  catalog::FindBackfills(0, &all);
  for (const catalog::Backfill& backfill : all) {
    const std::uint32_t index = jobs_.Find(backfill.job_id);
    if (index == JobTable::kNoJob) {
      if (catalog::LockBackfill(backfill, false) == pg::RowLock::kLocked) {
        catalog::DeleteBackfill(backfill);
      }
      continue;
    }
    if (backfill.quarantined) {
      quarantined_rows_++;
      continue;
    }
    jobs_[index].held = jobs_[index].held || backfill.holds_schedule;
    backfills_[backfill.job_id].push_back(backfill);
    LookAtBackfills(backfill.job_id, now);
  }
}

void Scheduler::RefreshBackfills(std::uint32_t index, TimestampTz now) {
  Job& job = jobs_[index];
  std::vector<catalog::Backfill> found;
  catalog::FindBackfills(job.job_id, &found);
  std::erase_if(found, [](const catalog::Backfill& backfill) { return backfill.quarantined; });
  job.held = std::any_of(found.begin(), found.end(),
                         [](const catalog::Backfill& backfill) { return backfill.holds_schedule; });
  if (found.empty()) {
    backfills_.erase(job.job_id);
    return;
  }
  backfills_[job.job_id] = std::move(found);
  LookAtBackfills(job.job_id, now);
}

void Scheduler::LookAtBackfills(std::int64_t job_id, TimestampTz at) { feeds_.emplace(at, job_id); }

void Scheduler::FeedBackfills(TimestampTz now) {
  std::set<std::int64_t> jobs;
  while (!feeds_.empty() && feeds_.begin()->first <= now) {
    jobs.insert(feeds_.begin()->second);
    feeds_.erase(feeds_.begin());
  }
  for (const std::int64_t job_id : jobs) {
    const std::uint32_t index = jobs_.Find(job_id);
    if (index != JobTable::kNoJob && backfills_.contains(job_id)) {
      FeedJob(index, now);
    }
  }
}

void Scheduler::FeedJob(std::uint32_t index, TimestampTz now) {
  const std::int64_t job_id = jobs_[index].job_id;
  if (!jobs_[index].enabled || !jobs_[index].here || jobs_[index].quarantined) {
    return;
  }
  if (jobs_[index].backoff_until > now) {
    LookAtBackfills(job_id, jobs_[index].backoff_until);
    return;
  }
  Begin();
  while (backfills_.contains(job_id) && FeedFrom(index, &backfills_[job_id].front(), now)) {
  }
}

// Queues the next run of the job's oldest backfill, or ends the backfill. True: there may be more
// to do at once.
bool Scheduler::FeedFrom(std::uint32_t index, catalog::Backfill* backfill, TimestampTz now) {
  const Job& job = jobs_[index];
  if (const std::string why = WhyCalledOff(job, *backfill); !why.empty()) {
    if (catalog::LockBackfill(*backfill, false) == pg::RowLock::kLocked) {
      EndCalledOffBackfill(index, *backfill, why, now);
      RefreshBackfills(index, now);
      return true;
    }
    RefreshBackfills(index, now + kLookAgain);
    return false;
  }
  const bool side_by_side = job.overlap == catalog::Overlap::kAllow;
  const int unfinished = UnfinishedRuns(job.job_id, 0);
  if (unfinished >= (side_by_side ? pg::settings.max_workers : 1) ||
      (!side_by_side && (job.running > 0 || job.ready))) {
    return false;  // Reconsider() looks again
  }
  const TimestampTz until = backfill->to_time != 0 ? std::min(backfill->to_time, now) : now;
  const calendar::Instant next =
      jobs_.TimelineOf(job, backfill->after_time + 1).Next(backfill->after_time);
  const bool is_done = next == calendar::kNever || next > until;
  if (is_done && UnfinishedRuns(job.job_id, backfill->backfill_id) > 0) {
    return false;
  }
  if (catalog::LockBackfill(*backfill, false) != pg::RowLock::kLocked) {
    RefreshBackfills(index, now + kLookAgain);
    return false;
  }
  if (!is_done) {
    QueueBackfillRun(index, backfill, next, now);
    return side_by_side;
  }
  catalog::DeleteBackfill(*backfill);
  RefreshBackfills(index, now);
  StateOf(index);  // ratchet.jobs shows the next run
  Reconsider(index, now);
  return true;
}

void Scheduler::QueueBackfillRun(std::uint32_t index, catalog::Backfill* backfill, TimestampTz at,
                                 TimestampTz now) {
  Job& job = jobs_[index];
  const calendar::Instant previous = jobs_.TimelineOf(job, at - 1).Previous(at);
  catalog::QueuedRun run;
  catalog::NumberRun(&run);
  run.job_id = job.job_id;
  run.owner = job.owner;
  run.cause = policy::Cause::kBackfill;
  run.scheduled_at = at;
  run.previous_scheduled_at = previous != calendar::kNever ? previous : 0;
  run.run_at = now;
  run.queued_at = now;
  run.backfill_id = backfill->backfill_id;
  run.requested_by = backfill->requested_by;
  const std::int64_t run_id = run.run_id;
  Queue(std::move(run));
  backfill->after_time = at;
  backfill->owner = job.owner;
  catalog::UpdateBackfill(backfill);
  if (backfill->holds_schedule) {
    catalog::JobState& state = StateOf(index);
    state.last_occurrence = std::max(state.last_occurrence, at);
    job.watermark = std::max<std::int64_t>(job.watermark, at);
  }
  GetInLine(index, run_id);
}

// Runs of a backfill of the job (0: of any) that wait or are under way, retries included.
int Scheduler::UnfinishedRuns(std::int64_t job_id, std::int64_t backfill_id) const {
  int count = 0;
  const auto counts = [&](std::int64_t of) {
    count += of != 0 && (backfill_id == 0 || of == backfill_id) ? 1 : 0;
  };
  for (const std::int64_t run_id : waiting_.Of(job_id).all) {
    counts(waiting_.At(run_id).run.backfill_id);
  }
  for (const auto& [run_id, flight] : flights_) {
    if (flight.run.job_id == job_id) {
      counts(flight.run.backfill_id);
    }
  }
  return count;
}

}  // namespace ratchet::scheduler
