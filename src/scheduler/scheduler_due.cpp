// What is due, and what is left out.
#include <algorithm>

#include "scheduler/scheduler.h"

#include "pg/settings.h"

namespace ratchet::scheduler {
namespace {

// The skips of a job that lives in another environment are summed up this often.
constexpr std::int64_t kExileSummary = 3600 * USECS_PER_SEC;

std::string Local(TimestampTz at) {
  std::string text;
  pg::Call([&] { text = timestamptz_to_str(at); });
  return text;
}

}  // namespace

// Sets the instant at which something is to be done about the job next.
void Scheduler::Reconsider(std::uint32_t index, TimestampTz now) {
  Job& job = jobs_[index];
  if (backfills_.contains(job.job_id)) {
    LookAtBackfills(job.job_id, now);
  }
  if (job.ready) {
    return;
  }
  std::int64_t due = calendar::kNever;
  if (job.enabled && !quarantined_ && !job.held) {
    due = jobs_.NextOccurrence(job);
    if (due != calendar::kNever) {
      const bool has_backlog = job.misfire == policy::MisfirePolicy::kAll && due <= job.claimed_at;
      if (!job.here) {
        due = job.skip_noted ? std::max(due, now + kExileSummary) : due;
      } else if (job.backoff_until > now && due < job.backoff_until) {
        due = job.skip_noted ? job.backoff_until : due;
      } else if (job.running > 0 &&
                 (job.overlap == catalog::Overlap::kQueue ||
                  (job.overlap == catalog::Overlap::kSkip && (has_backlog || job.past_run)))) {
        due = calendar::kNever;  // looked at again when the run ends
      }
    }
  }
  jobs_.SetDue(index, due);
}

// What the user is told: the next start as far as it is known now.
TimestampTz Scheduler::NextRunAt(const Job& job) const {
  if (!job.enabled || !job.here || quarantined_) {
    return 0;
  }
  Job later = job;
  // Occurrences within a back-off do not start.
  later.watermark = std::max(later.watermark, job.backoff_until - 1);
  const calendar::Instant next = jobs_.NextOccurrence(later);
  return next == calendar::kNever ? 0 : next;
}

void Scheduler::TakeDue(TimestampTz now) {
  while (jobs_.FirstDue() <= now) {
    AtDue(jobs_.FirstJob(), now);
  }
  while (!later_.empty() && later_.begin()->first <= now) {
    const std::int64_t run_id = later_.begin()->second;
    later_.erase(later_.begin());
    const auto found = waiting_.find(run_id);
    if (found == waiting_.end() || found->second.ready) {
      continue;
    }
    const std::uint32_t index = jobs_.Find(found->second.run.job_id);
    if (index == JobTable::kNoJob) {
      CancelOrphan(run_id, now);
    } else {
      MakeReady(index, run_id, found->second.run.run_at);
    }
  }
}

void Scheduler::AtDue(std::uint32_t index, TimestampTz now) {
  Job& job = jobs_[index];
  policy::DueOccurrences due = jobs_.Due(job, now);
  if (due.count == 0) {
    Reconsider(index, now);
    return;
  }
  if (!job.here) {
    SkipUntil(index, due.last, due.count, "not meant for environment \"" + environment_ + "\"",
              now);
    job.skip_noted = true;
    Reconsider(index, now);
    return;
  }
  if (job.backoff_until != 0 && job.watermark < job.backoff_until) {
    Job resting = job;
    const std::int64_t until = std::min<std::int64_t>(now, job.backoff_until - 1);
    const policy::DueOccurrences missed = jobs_.Due(resting, until);
    if (missed.count > 0) {
      SkipUntil(index, missed.last, missed.count,
                "in back-off until " + Local(job.backoff_until) + " after " +
                    std::to_string(job.consecutive_failures) + " consecutive failures",
                now);
      job.skip_noted = true;
    }
    if (job.backoff_until > now || missed.count == due.count) {
      Reconsider(index, now);
      return;
    }
  }
  if (job.running > 0 && job.overlap == catalog::Overlap::kSkip) {
    // An occurrence of the past is not what is due now: this one waits for its end.
    if (!job.past_run) {
      SkipUntil(index, due.last, due.count, BlockingRun(job), now);
    }
    Reconsider(index, now);
    return;
  }
  MakeReady(index, 0, due.last);
}

std::string Scheduler::BlockingRun(const Job& job) const {
  for (const auto& [run_id, flight] : flights_) {
    if (flight.job_id == job.job_id) {
      std::vector<board::LiveRun> live;
      board::ListRuns(entry_->database, &live);
      for (const board::LiveRun& run : live) {
        if (run.ticket.run_id == run_id && run.pid != 0) {
          return "already running: run " + std::to_string(run_id) + " (pid " +
                 std::to_string(run.pid) + ")";
        }
      }
      return "already running: run " + std::to_string(run_id);
    }
  }
  return "already running";
}

// Records that the job's next `count` occurrences, up to `until`, do not run.
void Scheduler::SkipUntil(std::uint32_t index, std::int64_t until, std::int64_t count,
                          const std::string& reason, TimestampTz now) {
  Job& job = jobs_[index];
  Begin();
  Pin(&job);
  const calendar::Instant first = jobs_.NextOccurrence(job);
  catalog::RunRecord record;
  record.run_id = catalog::NextRunId();
  record.job_id = job.job_id;
  record.job_name = job.name;
  record.owner = job.owner;
  record.version = job.version;
  record.cause = policy::Cause::kSchedule;
  record.status = policy::RunStatus::kSkipped;
  record.scheduled_at = until;
  record.queued_at = now;
  record.finished_at = now;
  record.occurrences = count;
  record.reason = reason;
  if (count > 1) {
    record.reason += "; " + std::to_string(count) + " occurrences since " + Local(first);
  }
  catalog::InsertRunRecord(record);
  StateOf(index);
  statistics_.CountSkipped(job.job_id, count);
  job.watermark = until;
  ExpectPurge(job.job_id, now);
}

}  // namespace ratchet::scheduler
