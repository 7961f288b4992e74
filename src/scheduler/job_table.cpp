#include "scheduler/job_table.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

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
  timings_.clear();
  timing_index_.clear();
  problems_.clear();
  quarantined_ = 0;
  failing_ = 0;
  rules_.clear();
  heap_.Clear();
}

void JobTable::GiveBackMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

std::uint32_t JobTable::Find(std::int64_t job_id) const {
  return index_.Find(job_id, [this](std::uint32_t job) { return jobs_[job].job_id; });
}

std::uint32_t JobTable::Share(const catalog::TimingTexts& texts) {
  // None of them but the window and the schedule may hold a line feed, and these cannot be mistaken
  // for each other.
  std::string key =
      texts.schedule + '\n' + texts.time_zone + '\n' + texts.active_window + '\n' + texts.calendar;
  if (calendar::DependsOnName(texts.schedule)) {
    key += '\n' + texts.job_name;
  }
  const auto found = timing_index_.find(key);
  if (found != timing_index_.end()) {
    return found->second;
  }
  const auto index = static_cast<std::uint32_t>(timings_.size());
  timings_.push_back(catalog::ReadTiming(texts));
  timing_index_.emplace(key, index);
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
                            const std::string& environment, std::int64_t now) {
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
  problems_.erase(job.job_id);
  try {
    job.timing = Share({definition.job_name, definition.schedule, definition.time_zone,
                        definition.active_window, definition.calendar});
  } catch (const calendar::ScheduleError& error) {
    if (job.enabled) {
      problems_[job.job_id] = {ERRCODE_INVALID_PARAMETER_VALUE, error.what(), {}, error.hint(), {}};
    }
    job.enabled = false;
    job.timing = Share({{}, "@manual", "UTC", {}, {}});
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
  job.misfire = definition.misfire;
  job.has_start = definition.start_at != 0;
  job.end_at = definition.end_at;
  job.anchor = definition.start_at != 0 ? definition.start_at : definition.schedule_since;
  job.watermark = policy::AccountedFor(job.watermark, definition.schedule_since, now);
  job.here = catalog::IsMeantFor(definition, environment);
  job.batch = definition.is_batch();
  job.incremental = job.batch && definition.mode == catalog::BatchMode::kIncremental;
  job.dropped = false;
  quarantined_ += definition.quarantined - job.quarantined;
  job.quarantined = definition.quarantined;
  job.queue = definition.is_queue;
  job.timed = definition.deadline != 0;
  job.heard = !definition.heartbeat.empty();
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
  definition.keep_history = version.keep_history;
  definition.enabled = false;
  definition.schedule = "@manual";
  definition.time_zone = "UTC";
  const std::uint32_t index = Put(definition, {}, calendar::kNever);
  Job& job = jobs_[index];
  SetDue(index, calendar::kNever);
  ItemPointerSetInvalid(&job.state_tid);
  job.pinned = true;
  job.dropped = true;
  job.held = false;
  SetFailures(index, 0);
  job.crash_streak = 0;
  job.backoff_until = 0;
  return index;
}

const catalog::RunError* JobTable::ProblemOf(const Job& job) const {
  const auto found = problems_.find(job.job_id);
  return found != problems_.end() ? &found->second : nullptr;
}

void JobTable::Remove(std::uint32_t index) {
  auto position = [this](std::uint32_t job) -> std::int32_t& { return jobs_[job].heap_position; };
  heap_.Remove(position, index);
  Job& job = jobs_[index];
  problems_.erase(job.job_id);
  quarantined_ -= job.quarantined;
  failing_ -= job.failing() ? 1 : 0;
  index_.Erase(job.job_id, [this](std::uint32_t other) { return jobs_[other].job_id; });
  delete[] job.name;
  job.name = nullptr;
  job.alive = false;
  free_.push_back(index);
}

void JobTable::SetFailures(std::uint32_t index, std::int32_t in_a_row) {
  Job& job = jobs_[index];
  failing_ -= job.failing() ? 1 : 0;
  job.consecutive_failures =
      static_cast<std::uint16_t>(std::min<std::int32_t>(in_a_row, UINT16_MAX));
  failing_ += job.failing() ? 1 : 0;
}

policy::JobPlan JobTable::PlanOf(const Job& job) const {
  const catalog::Timing& timing = TimingOf(job);
  const SharedRules& rules = RulesOf(job);
  policy::JobPlan plan;
  plan.schedule = &timing.schedule;
  plan.zone = timing.zone;
  plan.window = timing.WindowOrNull();
  plan.left_out = timing.left_out.get();
  plan.anchor = job.anchor;
  plan.start_at = job.start_at();
  plan.end_at = job.end_at;
  plan.max_runs = rules.max_runs;
  plan.overlap = job.overlap;
  plan.misfire = job.misfire;
  plan.misfire_limit = rules.misfire_limit;
  plan.enabled = job.enabled;
  plan.here = job.here;
  plan.held = job.held || job.quarantined;
  plan.watermark = job.watermark;
  plan.last_finished = job.last_finished;
  plan.empty_runs = job.empty_runs;
  plan.claimed_at = job.claimed_at;
  plan.backoff_until = job.backoff_until;
  plan.server_start = board::TheBoard()->server_start;
  plan.run_count = job.run_count;
  plan.running = job.running;
  plan.past_run = job.past_run;
  plan.skip_noted = job.skip_noted;
  return plan;
}

calendar::OpenTimeline JobTable::TimelineOf(const Job& job, calendar::Instant from) const {
  return TimingOf(job).Occurrences(job.anchor, job.start_at(), job.end_at, from);
}

bool JobTable::TakeClock(std::uint32_t index, std::int64_t now, std::int64_t by, bool starts_anew) {
  Job& job = jobs_[index];
  policy::JobPlan plan = PlanOf(job);
  const std::int64_t longest_rest = RulesOf(job).retry.backoff.cap;
  if (by != 0) {
    policy::MoveWithClock(&plan, now, by, longest_rest);
  } else {
    policy::ForgetTheFuture(&plan, now, longest_rest, starts_anew);
  }
  const bool is_news = job.watermark != plan.watermark || job.backoff_until != plan.backoff_until;
  job.anchor = plan.anchor;
  job.watermark = plan.watermark;
  job.last_finished = plan.last_finished;
  job.claimed_at = plan.claimed_at;
  job.backoff_until = plan.backoff_until;
  return is_news;
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
