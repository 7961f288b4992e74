#include "scheduler/task_queue.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace ratchet::scheduler {
namespace {

// What a worker gets at once is to take no longer than this, in microseconds.
constexpr double kHandOut = 100'000;
// Who takes longer for a task is not given the next one before it has done with it.
constexpr double kSlowTask = 20'000;
constexpr double kMeanWeight = 0.3;  // of the newest hand-out in the moving average

std::uint64_t NumberOf(const std::string& key) {
  if (key.empty()) {
    return 0;
  }
  const std::uint64_t number = std::hash<std::string>()(key);
  return number != 0 ? number : 1;
}

}  // namespace

QueueRules RulesOf(const catalog::QueueDefinition& queue, const catalog::JobDefinition& job,
                   const std::string& environment) {
  QueueRules rules;
  rules.concurrency = queue.concurrency;
  rules.has_handler = !job.action.empty();
  rules.may_start = job.enabled && !job.quarantined && !queue.quarantined &&
                    catalog::IsMeantFor(job, environment);
  rules.tasks.backoff = {job.backoff, job.backoff_factor, job.backoff_cap, job.backoff_jitter};
  rules.tasks.max_attempts = job.max_attempts;
  rules.tasks.max_crashes = queue.max_crashes;
  rules.line.per_group = queue.concurrency_per_key;
  rules.line.rate = {queue.rate, queue.rate_period};
  rules.line.rate_per_group = queue.rate_per_key;
  rules.retention = queue.retention;
  rules.keep_dead = queue.keep_dead;
  rules.version = job.version;
  return rules;
}

policy::TaskLine::Task LineTaskOf(const catalog::Task& task, const ItemPointerData& tid) {
  static_assert(sizeof(policy::TaskRow) == sizeof(ItemPointerData));
  policy::TaskLine::Task in_line;
  in_line.id = task.task_id;
  std::memcpy(&in_line.row, &tid, sizeof(tid));
  in_line.priority = task.priority;
  in_line.ordering_key = NumberOf(task.ordering_key);
  in_line.group_key = NumberOf(task.group_key);
  in_line.run_at = task.run_at;
  in_line.expires_at = task.expires_at;
  in_line.alone = task.alone;
  return in_line;
}

int TaskQueue::WorthOf(int wants) const {
  const double most = std::clamp(kHandOut / mean_task_, 1.0, double{board::kMostTasks});
  return std::max(1, std::min(wants, static_cast<int>(most)));
}

bool TaskQueue::IsLaidOut() const { return mean_task_ < kSlowTask && rules.line.rate.starts == 0; }

void TaskQueue::NoteTook(std::int64_t micros, std::int64_t count) {
  if (count > 0) {
    const double each = std::max(1.0, static_cast<double>(micros) / static_cast<double>(count));
    mean_task_ += kMeanWeight * (each - mean_task_);
  }
}

}  // namespace ratchet::scheduler
