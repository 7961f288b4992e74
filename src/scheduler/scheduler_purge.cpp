// History goes away by itself: each job's oldest records, a few at a time, when nothing else is
// due.
#include <algorithm>

#include "scheduler/scheduler.h"

#include "catalog/job_version.h"
#include "pg/settings.h"
#include "policy/retention.h"

namespace ratchet::scheduler {
namespace {

constexpr int kPurgeBatch = 500;
// After a start every job is looked at once, one after the other.
constexpr std::int64_t kPurgeSpacing = 2000;
// Dropped jobs whose history may be left from before this scheduler started are looked for this
// often.
constexpr std::int64_t kScanEvery = 21'600 * USECS_PER_SEC;  // six hours
// History that a replay needs is looked at again after this time.
constexpr std::int64_t kAfterReplay = 60 * USECS_PER_SEC;

}  // namespace

std::int64_t Scheduler::KeepHistory(std::int64_t job_id) const {
  const std::uint32_t index = jobs_.Find(job_id);
  if (index != JobTable::kNoJob && jobs_.RulesOf(jobs_[index]).keep_history >= 0) {
    return jobs_.RulesOf(jobs_[index]).keep_history;
  }
  return static_cast<std::int64_t>(pg::settings.keep_history) * SECS_PER_MINUTE * USECS_PER_SEC;
}

// A record was written `at`: it will have to go one day.
void Scheduler::ExpectPurge(std::int64_t job_id, TimestampTz at) {
  if (!purges_.Has(job_id)) {
    purges_.Put(job_id, policy::PurgeAt(at, KeepHistory(job_id)));
  }
}

// A replay that waits or is under way reads the record and the items of the run before it.
bool Scheduler::NeedsHistory(std::int64_t job_id) const {
  for (const std::int64_t run_id : waiting_.Of(job_id).all) {
    const catalog::QueuedRun& run = waiting_.At(run_id).run;
    if (run.replay_of != 0 || run.items_of != 0) {
      return true;
    }
  }
  return std::any_of(flights_.begin(), flights_.end(), [job_id](const auto& flight) {
    return flight.second.job_id == job_id && flight.second.needs_history;
  });
}

// One small step; false when nothing is to be done.
bool Scheduler::PurgeStep(TimestampTz now) {
  if (next_purge_scan_ != 0 && now >= next_purge_scan_) {
    next_purge_scan_ = now + kScanEvery;
    FindJobsWithHistory(now);
    return true;
  }
  if (purges_.NextTime() > now) {
    return false;
  }
  const std::int64_t job_id = purges_.Take();
  if (NeedsHistory(job_id)) {
    purges_.Put(job_id, now + kAfterReplay);
    return true;
  }
  const std::int64_t keep = KeepHistory(job_id);
  TimestampTz oldest = 0;
  Begin();
  const int deleted =
      catalog::PurgeRunRecords(job_id, policy::PurgeBefore(now, keep), kPurgeBatch, &oldest);
  if (oldest == 0) {
    if (jobs_.Find(job_id) == JobTable::kNoJob) {
      catalog::DeleteJobVersions(job_id);
    }
  } else {
    purges_.Put(job_id, deleted == kPurgeBatch ? now : policy::PurgeAt(oldest, keep));
  }
  Commit();
  return true;
}

// After a start nothing is planned: every job that has pinned a version may have records.
void Scheduler::FindJobsWithHistory(TimestampTz now) {
  Begin();
  std::vector<std::int64_t> ids;
  catalog::ScanVersionedJobs(
      [](void* argument, std::int64_t job_id) {
        static_cast<std::vector<std::int64_t>*>(argument)->push_back(job_id);
      },
      &ids);
  Commit();
  TimestampTz at = now;
  for (const std::int64_t job_id : ids) {
    if (!purges_.Has(job_id)) {
      purges_.Put(job_id, at);
      at += kPurgeSpacing;
    }
  }
}

// The name under which a job that is not there any more ran.
std::string Scheduler::NameOfDropped(std::int64_t job_id) {
  const auto name = catalog::FindVersionedName(job_id);
  return name ? *name : "job " + std::to_string(job_id);
}

}  // namespace ratchet::scheduler
