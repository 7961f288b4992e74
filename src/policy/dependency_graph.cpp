#include "policy/dependency_graph.h"

#include <algorithm>
#include <deque>
#include <unordered_set>
#include <utility>

namespace ratchet::policy {
namespace {

const std::string kNobody;
const std::vector<std::string> kNoParents;

}  // namespace

void DependencyGraph::SetParents(std::int64_t child, const std::vector<std::string>& parents,
                                 std::int64_t since) {
  const auto [found, is_new] = children_.emplace(child, Child{});
  if (is_new) {
    found->second.since = since;
  }
  const std::vector<std::string> old = std::exchange(found->second.parents, parents);
  for (const std::string& name : parents) {
    parents_[name].children.insert(child);
  }
  std::vector<std::string> gone;
  for (const std::string& name : old) {
    if (std::find(parents.begin(), parents.end(), name) == parents.end()) {
      gone.push_back(name);
    }
  }
  Disconnect(child, gone);
}

bool DependencyGraph::SetStrangers(std::int64_t child, std::set<std::string> parents) {
  const auto found = children_.find(child);
  if (found == children_.end() || found->second.strangers == parents) {
    return false;
  }
  found->second.strangers = std::move(parents);
  return true;
}

bool DependencyGraph::IsStranger(std::int64_t child, const std::string& parent) const {
  const auto found = children_.find(child);
  return found != children_.end() && found->second.strangers.contains(parent);
}

std::vector<std::int64_t> DependencyGraph::Children() const {
  std::vector<std::int64_t> children;
  children.reserve(children_.size());
  for (const auto& child : children_) {
    children.push_back(child.first);
  }
  return children;
}

void DependencyGraph::RemoveChild(std::int64_t child) {
  const auto found = children_.find(child);
  if (found != children_.end()) {
    Disconnect(child, found->second.parents);
    children_.erase(found);
  }
}

void DependencyGraph::Disconnect(std::int64_t child, const std::vector<std::string>& parents) {
  for (const std::string& name : parents) {
    const auto parent = parents_.find(name);
    if (parent == parents_.end()) {
      continue;
    }
    parent->second.children.erase(child);
    if (parent->second.children.empty()) {
      bound_.erase(parent->second.job);
      parents_.erase(parent);
    }
  }
}

bool DependencyGraph::Bind(std::int64_t job, const std::string& name) {
  const auto bound = bound_.find(job);
  if (bound != bound_.end()) {
    if (bound->second == name) {
      return false;
    }
    Unbind(job);
  }
  const auto parent = parents_.find(name);
  if (parent == parents_.end()) {
    return false;
  }
  bound_.erase(parent->second.job);
  parent->second.job = job;
  parent->second.success = 0;
  bound_[job] = name;
  return true;
}

void DependencyGraph::Unbind(std::int64_t job) {
  const auto bound = bound_.find(job);
  if (bound == bound_.end()) {
    return;
  }
  Parent& parent = parents_.at(bound->second);
  parent.job = 0;
  parent.success = 0;
  bound_.erase(bound);
}

void DependencyGraph::SetSince(std::int64_t child, std::int64_t since) {
  const auto found = children_.find(child);
  if (found != children_.end()) {
    found->second.since = since;
  }
}

void DependencyGraph::SetSuccess(std::int64_t parent, std::int64_t at) {
  const auto bound = bound_.find(parent);
  if (bound != bound_.end()) {
    parents_.at(bound->second).success = at;
  }
}

void DependencyGraph::Clear() {
  children_.clear();
  parents_.clear();
  bound_.clear();
}

const std::vector<std::string>& DependencyGraph::ParentsOf(std::int64_t child) const {
  const auto found = children_.find(child);
  return found != children_.end() ? found->second.parents : kNoParents;
}

std::vector<std::int64_t> DependencyGraph::ChildrenOf(std::int64_t parent) const {
  const auto bound = bound_.find(parent);
  if (bound == bound_.end()) {
    return {};
  }
  const std::set<std::int64_t>& children = parents_.at(bound->second).children;
  return {children.begin(), children.end()};
}

std::int64_t DependencyGraph::JobOf(const std::string& parent) const {
  const auto found = parents_.find(parent);
  return found != parents_.end() ? found->second.job : 0;
}

std::int64_t DependencyGraph::Started(std::int64_t child, std::int64_t now) {
  const auto found = children_.find(child);
  if (found == children_.end()) {
    return 0;
  }
  std::int64_t& since = found->second.since;
  since = std::max(since, now);
  for (const std::string& name : found->second.parents) {
    if (!found->second.strangers.contains(name)) {
      since = std::max(since, parents_.at(name).success);
    }
  }
  return since;
}

std::int64_t DependencyGraph::Succeeded(std::int64_t parent, std::int64_t finished_at) {
  const auto bound = bound_.find(parent);
  if (bound == bound_.end()) {
    return finished_at;
  }
  Parent& it = parents_.at(bound->second);
  it.success = std::max(it.success, finished_at);
  for (const std::int64_t id : it.children) {
    const Child& child = children_.at(id);
    if (!child.strangers.contains(bound->second)) {
      it.success = std::max(it.success, child.since + 1);
    }
  }
  return it.success;
}

bool DependencyGraph::HasSucceeded(const std::string& parent, const Child& child) const {
  const Parent& it = parents_.at(parent);
  return it.job != 0 && it.success > child.since && !child.strangers.contains(parent);
}

bool DependencyGraph::IsReady(std::int64_t child) const {
  const auto found = children_.find(child);
  return found == children_.end() ||
         std::all_of(found->second.parents.begin(), found->second.parents.end(),
                     [&](const std::string& name) { return HasSucceeded(name, found->second); });
}

std::int64_t DependencyGraph::ReadySince(std::int64_t child) const {
  std::int64_t last = 0;
  for (const std::string& name : ParentsOf(child)) {
    last = std::max(last, parents_.at(name).success);
  }
  return last;
}

const std::string& DependencyGraph::Culprit(std::int64_t child) const {
  const auto found = children_.find(child);
  if (found != children_.end()) {
    for (const std::string& name : found->second.parents) {
      if (!HasSucceeded(name, found->second)) {
        return name;
      }
    }
  }
  return kNobody;
}

std::int64_t DependencyGraph::SinceOf(std::int64_t child) const {
  const auto found = children_.find(child);
  return found != children_.end() ? found->second.since : 0;
}

std::vector<DependencyGraph::LeftOut> DependencyGraph::LeftOutBy(
    std::int64_t failed, const std::function<bool(std::int64_t job)>& passes_on) const {
  std::vector<LeftOut> left_out;
  std::unordered_set<std::int64_t> seen{failed};
  std::deque<std::int64_t> to_do{failed};
  while (!to_do.empty()) {
    const std::int64_t parent = to_do.front();
    to_do.pop_front();
    const auto bound = bound_.find(parent);
    if (bound == bound_.end()) {
      continue;
    }
    for (const std::int64_t child : parents_.at(bound->second).children) {
      // Who has what it needs of this parent already is not left out because of it.
      if (!IsStranger(child, bound->second) && !HasSucceeded(bound->second, children_.at(child)) &&
          passes_on(child) && seen.insert(child).second) {
        left_out.push_back({child, parent});
        to_do.push_back(child);
      }
    }
  }
  return left_out;
}

std::vector<std::string> FindCycle(
    const std::string& job, const std::vector<std::string>& parents,
    const std::function<std::vector<std::string>(const std::string& job)>& parents_of) {
  // The way to each job that was reached: from which one. Breadth first, so that the shortest cycle
  // is told; without recursion, however long a chain is.
  std::unordered_map<std::string, std::string> reached_from;
  std::deque<std::string> to_do;
  const auto reach = [&](const std::string& from, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (reached_from.emplace(name, from).second) {
        to_do.push_back(name);
      }
    }
  };
  reach(job, parents);
  while (!to_do.empty()) {
    const std::string at = std::move(to_do.front());
    to_do.pop_front();
    if (at == job) {
      std::vector<std::string> cycle{job};
      for (std::string back = reached_from[job]; back != job; back = reached_from[back]) {
        cycle.push_back(back);
      }
      cycle.push_back(job);
      std::reverse(cycle.begin(), cycle.end());
      return cycle;
    }
    reach(at, parents_of(at));
  }
  return {};
}

}  // namespace ratchet::policy
