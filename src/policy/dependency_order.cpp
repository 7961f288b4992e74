#include "policy/dependency_order.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>

namespace ratchet::policy {
namespace {

enum class Visit : std::uint8_t { kNew, kOpen, kDone };

// A depth-first walk with a stack of its own: a chain may be as long as there are things.
class Walk {
 public:
  explicit Walk(const std::vector<Dependent>& dependents)
      : dependents_(dependents), visits_(dependents.size(), Visit::kNew) {
    for (std::size_t i = 0; i < dependents.size(); i++) {
      index_.emplace(dependents[i].name, i);
    }
  }

  DependencyOrder Run() {
    for (std::size_t i = 0; i < dependents_.size() && result_.circle.empty(); i++) {
      if (visits_[i] == Visit::kNew) {
        From(i);
      }
    }
    if (!result_.circle.empty()) {
      result_.order.clear();
    }
    return std::move(result_);
  }

 private:
  struct Step {
    std::size_t at;
    std::size_t next_need;
  };

  void From(std::size_t start) {
    Open(start);
    while (!path_.empty() && result_.circle.empty()) {
      Step& step = path_.back();
      const std::vector<std::string>& needs = dependents_[step.at].needs;
      if (step.next_need == needs.size()) {
        visits_[step.at] = Visit::kDone;
        result_.order.push_back(step.at);
        path_.pop_back();
        continue;
      }
      const auto need = index_.find(needs[step.next_need++]);
      if (need != index_.end()) {
        Enter(need->second);
      }
    }
  }

  void Enter(std::size_t at) {
    if (visits_[at] == Visit::kNew) {
      Open(at);
    } else if (visits_[at] == Visit::kOpen) {
      const auto start = std::find_if(path_.begin(), path_.end(),
                                      [at](const Step& step) { return step.at == at; });
      for (auto step = start; step != path_.end(); ++step) {
        result_.circle.push_back(dependents_[step->at].name);
      }
      result_.circle.push_back(dependents_[at].name);
    }
  }

  void Open(std::size_t at) {
    visits_[at] = Visit::kOpen;
    path_.push_back({at, 0});
  }

  const std::vector<Dependent>& dependents_;
  std::vector<Visit> visits_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<Step> path_;
  DependencyOrder result_;
};

}  // namespace

DependencyOrder OrderByNeed(const std::vector<Dependent>& dependents) {
  return Walk(dependents).Run();
}

}  // namespace ratchet::policy
