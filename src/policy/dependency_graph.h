// Which job waits for which ones, and since when: what depends_on means.
//
// A child runs when each of its parents has succeeded since the child's last run. Both are told by
// instants, and instants are made here so that they order events as the scheduler has seen them,
// whatever the clocks of processes say:
//
//   since    of a child: later than each success that its last run has seen
//   success  of a parent: later than the `since` of each child whose last run was claimed before
//            the success was known, and so perhaps has not seen it
//
// Parents are known by name, as they may come and go; jobs without a parent or child are not in
// here, and cost nothing. Instants are microseconds since 2000-01-01 UTC, 0: none.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace ratchet::policy {

class DependencyGraph {
 public:
  // ---- What there is
  // Defines the child, or changes its parents. Who had none before starts with `since`.
  void SetParents(std::int64_t child, const std::vector<std::string>& parents, std::int64_t since);
  void RemoveChild(std::int64_t child);
  // The job has this name now. True if it is anybody's parent, and was not known as such before:
  // its last success is then to be told by SetSuccess().
  bool Bind(std::int64_t job, const std::string& name);
  // Of the child's parents those which are, by now, jobs that it may not follow: for it, they are
  // not there. True if that is new.
  bool SetStrangers(std::int64_t child, std::set<std::string> parents);
  // The job is there no more.
  void Unbind(std::int64_t job);
  // As the tables say.
  void SetSince(std::int64_t child, std::int64_t since);
  void SetSuccess(std::int64_t parent, std::int64_t at);
  void Clear();

  bool empty() const { return children_.empty(); }
  bool IsChild(std::int64_t job) const { return children_.contains(job); }
  bool IsParent(std::int64_t job) const { return bound_.contains(job); }
  bool IsStranger(std::int64_t child, const std::string& parent) const;
  std::vector<std::int64_t> Children() const;
  const std::vector<std::string>& ParentsOf(std::int64_t child) const;
  // Those for which it is a stranger, too.
  std::vector<std::int64_t> ChildrenOf(std::int64_t parent) const;
  // 0: there is no such job now.
  std::int64_t JobOf(const std::string& parent) const;

  // ---- What happens
  // A run of the child is claimed at `now`. Returns its `since` from then on.
  std::int64_t Started(std::int64_t child, std::int64_t now);
  // The parent has succeeded, at `finished_at`, as is known from now on. Returns when that was for
  // the order of events.
  std::int64_t Succeeded(std::int64_t parent, std::int64_t finished_at);

  // ---- What follows
  // Every parent has succeeded since the child's last run. Who is no child is ready.
  bool IsReady(std::int64_t child) const;
  // Of a child that is ready: when its last parent has succeeded.
  std::int64_t ReadySince(std::int64_t child) const;
  // Of a child that is not: the first parent that has not succeeded since.
  const std::string& Culprit(std::int64_t child) const;
  std::int64_t SinceOf(std::int64_t child) const;

  // Who does not run because a run of `failed` has failed for good: children that wait for it, and
  // if they pass it on, theirs. Each is there once, with the parent through which it was reached
  // first, and behind that parent.
  struct LeftOut {
    std::int64_t job;
    std::int64_t parent;
  };
  std::vector<LeftOut> LeftOutBy(std::int64_t failed,
                                 const std::function<bool(std::int64_t job)>& passes_on) const;

 private:
  struct Child {
    std::vector<std::string> parents;
    std::set<std::string> strangers;
    std::int64_t since = 0;
  };
  struct Parent {
    std::int64_t job = 0;
    std::int64_t success = 0;
    std::set<std::int64_t> children;
  };

  bool HasSucceeded(const std::string& parent, const Child& child) const;
  void Disconnect(std::int64_t child, const std::vector<std::string>& parents);

  std::unordered_map<std::int64_t, Child> children_;
  std::unordered_map<std::string, Parent> parents_;      // by name
  std::unordered_map<std::int64_t, std::string> bound_;  // parents' names by job
};

// The way from `job` to itself, both ends included, if it had these parents; empty when there is
// none. `parents_of` knows those of all other jobs; it is asked once for each that can be reached.
std::vector<std::string> FindCycle(
    const std::string& job, const std::vector<std::string>& parents,
    const std::function<std::vector<std::string>(const std::string& job)>& parents_of);

}  // namespace ratchet::policy
