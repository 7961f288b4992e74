// What a queue has behind its line. A task of the line takes some 70 bytes, one behind it little
// more than a bit: its row is read again when there is room. What has a key, or expires, stays in
// the line, where it is known who waits for whom.
#include <algorithm>

#include "scheduler/task_queue.h"

namespace ratchet::scheduler {
namespace {

// Tasks of one priority that wait in the line, and delayed ones. More would not be handed out any
// sooner.
constexpr std::int64_t kMostInLine = 200'000;
constexpr std::int64_t kFewInLine = 100'000;

// Sleepers are woken together, microseconds.
constexpr std::int64_t kWakeEvery = 10'000;

}  // namespace

bool TaskQueue::MayStandBehind(const catalog::Task& task) {
  return task.ordering_key.empty() && task.group_key.empty() && task.expires_at == 0 && !task.alone;
}

bool TaskQueue::PutBehind(const catalog::Task& task, TimestampTz now) {
  if (!MayStandBehind(task) || line.Knows(task.task_id)) {
    return false;
  }
  if (task.run_at > now) {
    if (line.counts().delayed < kMostInLine) {
      return false;
    }
    const TimestampTz wakes = (task.run_at / kWakeEvery + 1) * kWakeEvery;
    return asleep_[{wakes, task.priority}].Insert(task.task_id);
  }
  const auto behind = behind_.find(task.priority);
  if (behind == behind_.end() && line.WaitingOf(task.priority) < kMostInLine) {
    return false;
  }
  return behind_[task.priority].Insert(task.task_id);
}

bool TaskQueue::IsBehind(std::int64_t task_id) const {
  const auto has = [task_id](const auto& backlog) { return backlog.second.Contains(task_id); };
  return std::any_of(behind_.begin(), behind_.end(), has) ||
         std::any_of(asleep_.begin(), asleep_.end(), has);
}

bool TaskQueue::TakeFromBehind(std::int64_t task_id) {
  const auto take = [task_id](auto& backlogs) {
    for (auto backlog = backlogs.begin(); backlog != backlogs.end(); ++backlog) {
      if (backlog->second.Erase(task_id)) {
        if (backlog->second.IsEmpty()) {
          backlogs.erase(backlog);
        }
        return true;
      }
    }
    return false;
  };
  return take(behind_) || take(asleep_);
}

void TaskQueue::WakeSleepers(TimestampTz now) {
  while (!asleep_.empty() && asleep_.begin()->first.first <= now) {
    const std::int32_t priority = asleep_.begin()->first.second;
    behind_[priority].Add(asleep_.begin()->second);
    asleep_.erase(asleep_.begin());
  }
}

policy::TaskSet* TaskQueue::NextBehind() {
  std::erase_if(behind_, [](const auto& backlog) { return backlog.second.IsEmpty(); });
  for (auto& [priority, backlog] : behind_) {
    if (line.WaitingOf(priority) < kFewInLine) {
      return &backlog;
    }
  }
  return nullptr;
}

bool TaskQueue::WantsMore() const {
  return std::any_of(behind_.begin(), behind_.end(), [this](const auto& backlog) {
    return line.WaitingOf(backlog.first) < kFewInLine;
  });
}

TimestampTz TaskQueue::NextWake() const {
  return asleep_.empty() ? INT64_MAX : asleep_.begin()->first.first;
}

std::int64_t TaskQueue::CountBehind() const {
  std::int64_t count = 0;
  for (const auto& [priority, backlog] : behind_) {
    count += backlog.size();
  }
  return count;
}

std::int64_t TaskQueue::CountAsleep() const {
  std::int64_t count = 0;
  for (const auto& [key, backlog] : asleep_) {
    count += backlog.size();
  }
  return count;
}

void TaskQueue::ForgetBehind() {
  behind_.clear();
  asleep_.clear();
}

}  // namespace ratchet::scheduler
