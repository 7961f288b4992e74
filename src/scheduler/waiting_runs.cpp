#include "scheduler/waiting_runs.h"

#include "calendar/instant.h"

namespace ratchet::scheduler {

void WaitingRuns::Add(catalog::QueuedRun run, ItemPointerData tid) {
  const std::int64_t run_id = run.run_id;
  LookAt(run_id, run.run_at);
  run.payload.clear();
  run.payload.shrink_to_fit();
  OfJob& of_job = of_job_[run.job_id];
  of_job.all.insert(run_id);
  if (run.retry_of != 0) {
    of_job.retries.insert(run_id);
  }
  if (run.on_change) {
    change_runs_[run.job_id] = run_id;
  }
  runs_[run_id] = {std::move(run), tid, Place::kOut};
}

void WaitingRuns::Erase(std::int64_t run_id) {
  SetPlace(run_id, Place::kOut);
  const auto found = runs_.find(run_id);
  const std::int64_t job_id = found->second.run.job_id;
  const auto of_job = of_job_.find(job_id);
  of_job->second.all.erase(run_id);
  of_job->second.retries.erase(run_id);
  if (of_job->second.all.empty()) {
    of_job_.erase(of_job);
  }
  if (found->second.run.on_change) {
    change_runs_.erase(job_id);
  }
  runs_.erase(found);
}

WaitingRuns::Run* WaitingRuns::Find(std::int64_t run_id) {
  const auto found = runs_.find(run_id);
  return found != runs_.end() ? &found->second : nullptr;
}

const WaitingRuns::OfJob& WaitingRuns::Of(std::int64_t job_id) const {
  static const OfJob none;
  const auto found = of_job_.find(job_id);
  return found != of_job_.end() ? found->second : none;
}

WaitingRuns::Run* WaitingRuns::ChangeRunOf(std::int64_t job_id) {
  const auto found = change_runs_.find(job_id);
  return found != change_runs_.end() ? &At(found->second) : nullptr;
}

void WaitingRuns::SetPlace(std::int64_t run_id, Place place) {
  Run& run = At(run_id);
  OfJob& of_job = of_job_.at(run.run.job_id);
  if (run.place == Place::kInLine) {
    of_job.in_line.erase(run_id);
  } else if (run.place == Place::kAside) {
    of_job.aside.erase({run.run.run_at, run_id});
  }
  if (place == Place::kInLine) {
    of_job.in_line.insert(run_id);
  } else if (place == Place::kAside) {
    of_job.aside.emplace(run.run.run_at, run_id);
  }
  run.place = place;
}

void WaitingRuns::MoveWithClock(std::int64_t by,
                                bool (*is_for_fixed_time)(const catalog::QueuedRun& run)) {
  looks_.clear();
  for (auto& [run_id, run] : runs_) {
    const Place place = run.place;
    if (place == Place::kAside) {
      SetPlace(run_id, Place::kOut);
    }
    if (!is_for_fixed_time(run.run)) {
      run.run.run_at += by;
    }
    if (place == Place::kAside) {
      SetPlace(run_id, place);
    } else if (place == Place::kOut) {
      LookAt(run_id, run.run.run_at);
    }
  }
}

TimestampTz WaitingRuns::NextLook() const {
  return looks_.empty() ? calendar::kNever : looks_.begin()->first;
}

std::optional<std::int64_t> WaitingRuns::TakeLook(TimestampTz now) {
  while (NextLook() <= now) {
    const std::int64_t run_id = looks_.begin()->second;
    looks_.erase(looks_.begin());
    const Run* run = Find(run_id);
    if (run != nullptr && run->place == Place::kOut) {
      return run_id;
    }
  }
  return std::nullopt;
}

}  // namespace ratchet::scheduler
