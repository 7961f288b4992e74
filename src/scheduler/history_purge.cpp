#include "scheduler/history_purge.h"

#include <algorithm>
#include <vector>

#include "catalog/checkpoint.h"
#include "catalog/job_change.h"
#include "catalog/job_version.h"
#include "catalog/run_log.h"
#include "pg/settings.h"
#include "pg/transaction.h"
#include "policy/retention.h"
#include "scheduler/statistics.h"

namespace ratchet::scheduler {
namespace {

constexpr int kBatch = 500;
// After a start every job is looked at once, one after the other.
constexpr std::int64_t kSpacing = 2000;
// Dropped jobs whose history may be left from before this scheduler started are looked for this
// often.
constexpr std::int64_t kScanEvery = 21'600 * USECS_PER_SEC;  // six hours
// History that is needed is looked at again after this time.
constexpr std::int64_t kAfterReplay = 60 * USECS_PER_SEC;

catalog::Purged Both(const catalog::Purged& one, const catalog::Purged& other) {
  catalog::Purged both;
  both.deleted = std::max(one.deleted, other.deleted);
  both.oldest = one.oldest == 0 || other.oldest == 0 ? std::max(one.oldest, other.oldest)
                                                     : std::min(one.oldest, other.oldest);
  both.was_held_up = one.was_held_up || other.was_held_up;
  return both;
}

}  // namespace

std::int64_t HistoryPurge::KeepOf(std::int64_t job_id) const {
  const std::uint32_t index = jobs_.Find(job_id);
  if (index != JobTable::kNoJob && jobs_.RulesOf(jobs_[index]).keep_history >= 0) {
    return jobs_.RulesOf(jobs_[index]).keep_history;
  }
  if (index == JobTable::kNoJob) {
    if (const std::int64_t keep = catalog::FindKeptHistory(job_id); keep >= 0) {
      return keep;
    }
  }
  return static_cast<std::int64_t>(pg::settings.keep_history) * SECS_PER_MINUTE * USECS_PER_SEC;
}

void HistoryPurge::Expect(std::int64_t job_id, TimestampTz at) {
  if (!plan_.Has(job_id)) {
    plan_.Put(job_id, policy::PurgeAt(at, KeepOf(job_id)));
  }
}

void HistoryPurge::LookAgain(std::int64_t job_id, TimestampTz now) {
  if (plan_.Has(job_id)) {
    plan_.Put(job_id, now);
  }
}

bool HistoryPurge::Step(TimestampTz believed, TimestampTz now,
                        const std::function<bool(std::int64_t)>& is_needed) {
  if (next_scan_ != 0 && believed >= next_scan_) {
    next_scan_ = believed + kScanEvery;
    FindJobsWithHistory(believed);
    return true;
  }
  if (plan_.NextTime() > believed) {
    return false;
  }
  const std::int64_t job_id = plan_.Take();
  if (is_needed(job_id)) {
    plan_.Put(job_id, believed + kAfterReplay);
  } else {
    Purge(job_id, believed, now);
  }
  return true;
}

void HistoryPurge::Purge(std::int64_t job_id, TimestampTz believed, TimestampTz now) {
  pg::Transaction transaction;
  const std::int64_t keep = KeepOf(job_id);
  if (jobs_.Find(job_id) == JobTable::kNoJob) {
    // Where it stood, should that have been left behind.
    catalog::DeleteJobStat(job_id);
    catalog::DeleteCheckpoints(job_id, pg::IfBusy::kGiveUp);
  }
  const catalog::PurgeLimits limits{policy::PurgeBefore(believed, keep), now, kBatch};
  const catalog::Purged purged =
      Both(catalog::PurgeRunRecords(job_id, limits), catalog::PurgeJobChanges(job_id, limits));
  if (purged.was_held_up) {
    plan_.Put(job_id, believed + kAfterReplay);
  } else if (purged.oldest != 0) {
    plan_.Put(job_id, purged.deleted == kBatch ? believed : policy::PurgeAt(purged.oldest, keep));
  } else if (jobs_.Find(job_id) == JobTable::kNoJob) {
    catalog::DeleteJobVersions(job_id);
  }
  transaction.Commit(pg::Durability::kAsynchronous);
}

// After a start nothing is planned: every job that has pinned a version may have records, and there
// are changes of others.
void HistoryPurge::FindJobsWithHistory(TimestampTz now) {
  struct Context {
    HistoryPurge* self;
    std::vector<std::int64_t> ids{};
  } context{this};
  pg::Transaction transaction;
  const auto visit = [](void* argument, std::int64_t job_id, Oid owner) {
    auto* seen = static_cast<Context*>(argument);
    seen->ids.push_back(job_id);
    seen->self->owners_.Know(owner);
  };
  catalog::ScanVersionedJobs(visit, &context);
  catalog::ScanChangedJobs(visit, &context);
  transaction.Commit(pg::Durability::kAsynchronous);
  TimestampTz at = now;
  for (const std::int64_t job_id : context.ids) {
    if (!plan_.Has(job_id)) {
      plan_.Put(job_id, at);
      at += kSpacing;
    }
  }
}

}  // namespace ratchet::scheduler
