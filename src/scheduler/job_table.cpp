#include "scheduler/job_table.h"

#include <algorithm>
#include <cstring>

#include "board/board.h"

namespace ratchet::scheduler {
namespace {

char* CopyName(const std::string& name) {
  auto* copy = new char[name.size() + 1];
  std::memcpy(copy, name.c_str(), name.size() + 1);
  return copy;
}

bool MeantFor(const catalog::JobDefinition& definition, const std::string& environment) {
  return definition.any_environment ||
         std::find(definition.environments.begin(), definition.environments.end(), environment) !=
             definition.environments.end();
}

policy::MisfirePolicy PolicyOf(catalog::Misfire misfire) {
  switch (misfire) {
    case catalog::Misfire::kSkip:
      return policy::MisfirePolicy::kSkip;
    case catalog::Misfire::kAll:
      return policy::MisfirePolicy::kAll;
    case catalog::Misfire::kOnce:
      break;
  }
  return policy::MisfirePolicy::kOnce;
}

}  // namespace

bool operator==(const SharedRules& a, const SharedRules& b) {
  return a.retry.backoff == b.retry.backoff && a.retry.max_attempts == b.retry.max_attempts &&
         a.retry.resume_after_crash == b.retry.resume_after_crash &&
         a.misfire_limit == b.misfire_limit && a.max_runs == b.max_runs && a.timeout == b.timeout &&
         a.keep_history == b.keep_history;
}

void JobTable::Clear() {
  for (const Job& job : jobs_) {
    delete[] job.name;
  }
  jobs_.clear();
  free_.clear();
  index_.Clear();
  schedules_.clear();
  schedule_index_.clear();
  rules_.clear();
  heap_.Clear();
}

void JobTable::Reserve(std::size_t jobs) {
  jobs_.reserve(jobs);
  heap_.Reserve(jobs);
}

std::uint32_t JobTable::Find(std::int64_t job_id) const {
  return index_.Find(job_id, [this](std::uint32_t job) { return jobs_[job].job_id; });
}

std::uint32_t JobTable::Share(const std::string& schedule, const std::string& time_zone) {
  const std::string key = schedule + '\n' + time_zone;
  const auto found = schedule_index_.find(key);
  if (found != schedule_index_.end()) {
    return found->second;
  }
  const pg::PgZone* zone = pg::FindZone(time_zone);
  if (zone == nullptr) {
    throw calendar::ScheduleError("time zone \"" + time_zone + "\" is not known", "");
  }
  const auto index = static_cast<std::uint32_t>(schedules_.size());
  schedules_.push_back({calendar::Schedule::Parse(schedule), zone});
  schedule_index_.emplace(key, index);
  return index;
}

std::uint32_t JobTable::Share(const SharedRules& rules) {
  // Few kinds exist in practice, and the newest are the likeliest.
  for (std::size_t i = rules_.size(); i-- > 0 && rules_.size() - i <= 64;) {
    if (rules_[i] == rules) {
      return static_cast<std::uint32_t>(i);
    }
  }
  rules_.push_back(rules);
  return static_cast<std::uint32_t>(rules_.size() - 1);
}

std::uint32_t JobTable::Put(const catalog::JobDefinition& definition,
                            const std::string& environment) {
  std::uint32_t index = Find(definition.job_id);
  if (index == kNoJob) {
    if (free_.empty()) {
      index = static_cast<std::uint32_t>(jobs_.size());
      jobs_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Job& job = jobs_[index];
    job = Job{};
    job.job_id = definition.job_id;
    job.alive = true;
    job.heap_position = DueHeap::kAbsent;
    ItemPointerSetInvalid(&job.state_tid);
    index_.Insert(index, [this](std::uint32_t other) { return jobs_[other].job_id; });
  }
  Job& job = jobs_[index];
  if (job.name == nullptr || definition.job_name != job.name) {
    delete[] job.name;
    job.name = nullptr;
    job.name = CopyName(definition.job_name);
  }
  job.enabled = definition.enabled;
  try {
    job.schedule = Share(definition.schedule, definition.time_zone);
  } catch (const calendar::ScheduleError& error) {
    ereport(WARNING, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("job \"%s\" is disabled: %s", job.name, error.what())));
    job.enabled = false;
    job.schedule = Share("@manual", "UTC");
  }
  job.rules = Share(SharedRules{{{definition.backoff, definition.backoff_factor,
                                  definition.backoff_cap, definition.backoff_jitter},
                                 definition.max_attempts,
                                 definition.on_crash == catalog::OnCrash::kResume},
                                definition.misfire_limit,
                                definition.max_runs,
                                definition.timeout,
                                definition.keep_history});
  if (job.version != definition.version || job.dropped) {
    job.pinned = false;
  }
  job.version = definition.version;
  job.owner = definition.owner;
  job.priority = definition.priority;
  job.overlap = definition.overlap;
  job.misfire = PolicyOf(definition.misfire);
  job.has_start = definition.start_at != 0;
  job.end_at = definition.end_at;
  job.anchor = definition.start_at != 0 ? definition.start_at : definition.schedule_since;
  job.watermark = std::max(job.watermark, definition.schedule_since);
  job.here = MeantFor(definition, environment);
  job.batch = definition.is_batch();
  job.dropped = false;
  return index;
}

std::uint32_t JobTable::PutDropped(const catalog::JobVersion& version) {
  catalog::JobDefinition definition;
  static_cast<catalog::BatchDefinition&>(definition) = version;
  definition.job_id = version.job_id;
  definition.job_name = version.job_name;
  definition.owner = version.owner;
  definition.version = version.version;
  definition.timeout = version.timeout;
  definition.enabled = false;
  definition.schedule = "@manual";
  definition.time_zone = "UTC";
  const std::uint32_t index = Put(definition, {});
  Job& job = jobs_[index];
  SetDue(index, calendar::kNever);
  ItemPointerSetInvalid(&job.state_tid);
  job.pinned = true;
  job.dropped = true;
  job.held = false;
  job.consecutive_failures = 0;
  job.crash_streak = 0;
  job.backoff_until = 0;
  return index;
}

void JobTable::Remove(std::uint32_t index) {
  auto position = [this](std::uint32_t job) -> std::int32_t& { return jobs_[job].heap_position; };
  heap_.Remove(position, index);
  Job& job = jobs_[index];
  index_.Erase(job.job_id, [this](std::uint32_t other) { return jobs_[other].job_id; });
  delete[] job.name;
  job.name = nullptr;
  job.alive = false;
  free_.push_back(index);
}

calendar::Instant JobTable::NextOccurrence(const Job& job) const {
  const SharedSchedule& shared = ScheduleOf(job);
  const SharedRules& rules = RulesOf(job);
  if (rules.max_runs > 0 && job.run_count >= rules.max_runs) {
    return calendar::kNever;
  }
  calendar::Instant next = calendar::kNever;
  switch (shared.schedule.kind()) {
    case calendar::Kind::kManual:
      break;
    case calendar::Kind::kStartup: {
      const TimestampTz start = board::TheBoard()->server_start;
      next = job.watermark < start ? start : calendar::kNever;
      break;
    }
    case calendar::Kind::kAfterCompletion: {
      const bool has_run = job.last_finished > job.anchor;
      next = !has_run && job.start_at() != 0
                 ? job.start_at()
                 : shared.schedule.NextAfterCompletion(has_run ? job.last_finished : job.anchor,
                                                       *shared.zone);
      // Until the run of the last one has finished, the next one is not known.
      next = next <= job.watermark ? calendar::kNever : next;
      break;
    }
    case calendar::Kind::kInterval:
    case calendar::Kind::kCron:
    case calendar::Kind::kOnce:
      // An occurrence at start_at itself counts.
      next = shared.schedule.Next(std::max(job.watermark, job.start_at() - 1), *shared.zone,
                                  job.anchor);
      break;
  }
  return job.end_at != 0 && next > job.end_at ? calendar::kNever : next;
}

calendar::Timeline JobTable::TimelineOf(const Job& job, calendar::Instant from) const {
  const SharedSchedule& shared = ScheduleOf(job);
  return {shared.schedule, *shared.zone, job.anchor, job.start_at(), job.end_at, from};
}

policy::DueOccurrences JobTable::Due(const Job& job, std::int64_t now) const {
  // Counting stops here: a job due every second that slept for a year is told as "at least".
  constexpr std::int64_t kMostCounted = 1'000'000;
  const calendar::Instant first = NextOccurrence(job);
  if (first > now) {
    return {0, 0, now};
  }
  const SharedSchedule& shared = ScheduleOf(job);
  switch (shared.schedule.kind()) {
    case calendar::Kind::kInterval:
    case calendar::Kind::kCron:
    case calendar::Kind::kOnce:
      break;
    default:
      return {1, first, now};
  }
  const std::int64_t until = job.end_at != 0 ? std::min(now, job.end_at) : now;
  const std::int64_t after = std::max(job.watermark, job.start_at() - 1);
  const std::int64_t count =
      shared.schedule.Count(after, until, *shared.zone, job.anchor, kMostCounted);
  return count > 0
             ? policy::DueOccurrences{count,
                                      shared.schedule.Last(after, until, *shared.zone, job.anchor),
                                      now}
             : policy::DueOccurrences{1, first, now};
}

void JobTable::SetDue(std::uint32_t index, std::int64_t due) {
  auto position = [this](std::uint32_t job) -> std::int32_t& { return jobs_[job].heap_position; };
  if (due == calendar::kNever) {
    heap_.Remove(position, index);
  } else {
    heap_.Set(position, index, due);
  }
}

std::int64_t JobTable::FirstDue() const {
  return heap_.empty() ? calendar::kNever : heap_.top().due;
}

}  // namespace ratchet::scheduler
