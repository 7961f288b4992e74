#include "policy/task_suspects.h"

#include <algorithm>

namespace ratchet::policy {

std::vector<TaskSuspects::Verdict> TaskSuspects::Judge(const std::vector<bool>& is_suspected) {
  const bool any = std::find(is_suspected.begin(), is_suspected.end(), true) != is_suspected.end();
  std::vector<Verdict> verdicts;
  for (const bool suspected : is_suspected) {
    if (any) {
      verdicts.push_back(suspected ? Verdict::kGuilty : Verdict::kNotGuilty);
    } else {
      verdicts.push_back(is_suspected.size() == 1 ? Verdict::kGuilty : Verdict::kSuspected);
    }
  }
  return verdicts;
}

std::vector<TaskSuspects::Tasks> TaskSuspects::Halves(const Tasks& tasks) {
  if (tasks.size() < 2) {
    return {tasks};
  }
  const auto middle = tasks.begin() + (std::ssize(tasks) + 1) / 2;
  return {Tasks(tasks.begin(), middle), Tasks(middle, tasks.end())};
}

void TaskSuspects::Add(std::int64_t number, const Tasks& tasks) {
  for (const std::int64_t task : tasks) {
    if (const std::int64_t emptied = Clear(task); emptied != 0) {
      emptied_.push_back(emptied);
    }
    group_of_[task] = number;
  }
  groups_[number] = tasks;
}

std::int64_t TaskSuspects::Clear(std::int64_t task) {
  const auto found = group_of_.find(task);
  if (found == group_of_.end()) {
    return 0;
  }
  const std::int64_t number = found->second;
  group_of_.erase(found);
  Tasks& group = groups_[number];
  std::erase(group, task);
  if (!group.empty()) {
    return 0;
  }
  groups_.erase(number);
  return number;
}

TaskSuspects::Tasks TaskSuspects::GroupOf(std::int64_t task) const {
  const auto found = group_of_.find(task);
  return found == group_of_.end() ? Tasks() : groups_.at(found->second);
}

TaskSuspects::Tasks TaskSuspects::TakeEmptied() {
  Tasks emptied;
  emptied.swap(emptied_);
  return emptied;
}

void TaskSuspects::Forget() {
  groups_.clear();
  group_of_.clear();
  emptied_.clear();
}

}  // namespace ratchet::policy
