// ratchet.backfill() and ratchet.cancel_backfill()
#include "catalog/backfill.h"

#include "api/argument.h"
#include "api/held_back.h"
#include "api/privilege.h"
#include "api/schedule_text.h"
#include "api/sql_function.h"
#include "api/waiting_run.h"
#include "calendar/timeline.h"
#include "catalog/commit_notice.h"

namespace ratchet::api {
namespace {

enum Argument { kJobName, kFromTime, kToTime };

// Counting costs time, and more than this is a mistake rather than a wish.
constexpr std::int64_t kMostOccurrences = 1'000'000;

// The occurrences of a job, and what they are made of.
struct Course {
  catalog::Timing timing;
  calendar::OpenTimeline timeline;

  Course(const catalog::JobDefinition& job, TimestampTz from)
      : timing(RequireTiming(job)),
        timeline(timing.Occurrences(job.schedule_since, job.start_at, job.end_at, from)) {}
  Course(const Course&) = delete;
  Course& operator=(const Course&) = delete;
};

void CheckSpan(TimestampTz from, TimestampTz to) {
  if (from > to) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "from_time must not be later than to_time");
  }
  if (to > GetCurrentTimestamp()) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "to_time must not be in the future",
                    "What is yet to come is run by the schedule itself.");
  }
}

std::int64_t RequireCount(const catalog::JobDefinition& job, TimestampTz from, TimestampTz to) {
  const Course course(job, from);
  if (!course.timing.schedule.HasFixedTimes()) {
    throw pg::Error(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "job \"" + job.job_name + "\" has no past occurrences: its schedule is \"" + job.schedule +
            "\"",
        "Only schedules whose times are known in advance have past occurrences, such as "
        "'0 3 * * *' or '1 hour'.");
  }
  const std::int64_t count = course.timeline.Count(from - 1, to, kMostOccurrences + 1);
  if (count > kMostOccurrences) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "there are more than " + std::to_string(kMostOccurrences) +
                        " occurrences between from_time and to_time",
                    "Ask for a shorter span.");
  }
  return count;
}

std::int64_t BeginBackfill(const Arguments& arguments) {
  RequireWritable("ratchet.backfill()");
  const std::string job_name = arguments.Text(kJobName, "job_name");
  const TimestampTz from = arguments.Time(kFromTime, "from_time");
  const TimestampTz to = arguments.Time(kToTime, "to_time");
  const catalog::JobDefinition job = LockJob(job_name);
  CheckSpan(from, to);
  const std::int64_t count = RequireCount(job, from, to);
  if (count > 0) {
    TellOnceIfHeldBack(job);
    catalog::Backfill backfill;
    backfill.job_id = job.job_id;
    backfill.owner = job.owner;
    backfill.after_time = from - 1;
    backfill.to_time = to != 0 ? to : 1;  // 0 says that there is none; no schedule tells them apart
    backfill.requested_at = GetCurrentTransactionStartTimestamp();
    backfill.requested_by = GetUserId();
    catalog::InsertBackfill(&backfill);
    catalog::NoteJobChanged(job.job_id);
  }
  return count;
}

// Runs of the job's backfills that wait are canceled. Returns how many occurrences have not run at
// all because of that.
std::int64_t EndWaitingRuns(std::int64_t job_id) {
  std::int64_t unrun = 0;
  std::vector<catalog::FoundRun> runs;
  catalog::FindQueuedRunsOf(job_id, &runs);
  for (catalog::FoundRun& found : runs) {
    if (found.run.backfill_id != 0 && found.run.claimed_at == 0 && LockWaitingRun(found)) {
      unrun += found.run.retry_of == 0 ? 1 : 0;
      EndWaitingRun(&found);
    }
  }
  return unrun;
}

std::int64_t CancelBackfill(const Arguments& arguments) {
  RequireWritable("ratchet.cancel_backfill()");
  const std::string job_name = arguments.Text(kJobName, "job_name");
  const catalog::JobDefinition job = LockJob(job_name);
  const TimestampTz now = GetCurrentTimestamp();
  std::int64_t unrun = 0;
  std::vector<catalog::Backfill> backfills;
  // The scheduler moves them on meanwhile: what has changed is read again.
  for (catalog::FindBackfills(job.job_id, &backfills); !backfills.empty();
       catalog::FindBackfills(job.job_id, &backfills)) {
    const catalog::Backfill& backfill = backfills.front();
    if (catalog::LockBackfill(backfill, true) == pg::RowLock::kLocked) {
      const Course course(job, backfill.after_time + 1);
      const TimestampTz to = backfill.to_time != 0 ? backfill.to_time : now;
      unrun += course.timeline.Count(backfill.after_time, to, kMostOccurrences);
      catalog::DeleteBackfill(backfill);
    }
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  }
  unrun += EndWaitingRuns(job.job_id);
  catalog::NoteJobChanged(job.job_id);
  return unrun;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_backfill);
PGDLLEXPORT Datum ratchet_backfill(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::BeginBackfill(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_cancel_backfill);
PGDLLEXPORT Datum ratchet_cancel_backfill(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::CancelBackfill(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
