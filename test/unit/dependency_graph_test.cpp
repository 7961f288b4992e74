#include "policy/dependency_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "policy/dependency_words.h"

namespace ratchet::policy {
namespace {

using Names = std::vector<std::string>;

bool All(std::int64_t /*job*/) { return true; }

// Jobs 1 = a, 2 = b, ...
DependencyGraph Graph(const std::map<std::int64_t, Names>& parents) {
  DependencyGraph graph;
  for (const auto& [child, names] : parents) {
    graph.SetParents(child, names, 0);
  }
  for (std::int64_t job = 1; job <= 26; job++) {
    graph.Bind(job, std::string(1, static_cast<char>('a' + job - 1)));
  }
  return graph;
}

TEST(DependencyGraph, WhoDependsOnNobodyIsReady) {
  const DependencyGraph graph;
  EXPECT_TRUE(graph.IsReady(1));
  EXPECT_EQ(graph.Culprit(1), "");
}

TEST(DependencyGraph, ADiamondRunsOnce) {
  DependencyGraph graph = Graph({{2, {"a"}}, {3, {"a"}}, {4, {"b", "c"}}});
  graph.Succeeded(1, 100);
  EXPECT_TRUE(graph.IsReady(2) && graph.IsReady(3));
  EXPECT_FALSE(graph.IsReady(4));
  EXPECT_EQ(graph.Culprit(4), "b");
  graph.Started(2, 110);
  graph.Started(3, 110);
  EXPECT_FALSE(graph.IsReady(2) || graph.IsReady(3));
  graph.Succeeded(2, 120);
  EXPECT_EQ(graph.Culprit(4), "c");
  graph.Succeeded(3, 130);
  EXPECT_TRUE(graph.IsReady(4));
  EXPECT_EQ(graph.ReadySince(4), 130);
  graph.Started(4, 140);
  EXPECT_FALSE(graph.IsReady(4));
}

// What is known to the scheduler after the claim counts after it, whatever the clocks say.
TEST(DependencyGraph, EventsHaveTheOrderInWhichTheyAreSeen) {
  DependencyGraph graph = Graph({{2, {"a"}}});
  graph.Started(2, 200);
  EXPECT_GT(graph.Succeeded(1, 150), 200);  // it had ended before, and nobody knew
  EXPECT_TRUE(graph.IsReady(2));
  EXPECT_GT(graph.Started(2, 100), 200);  // the clock was set back
  EXPECT_FALSE(graph.IsReady(2));
  graph.Succeeded(1, 50);
  EXPECT_TRUE(graph.IsReady(2));
}

TEST(DependencyGraph, AParentGoesAndComes) {
  DependencyGraph graph = Graph({{2, {"a"}}});
  graph.Succeeded(1, 100);
  graph.Unbind(1);
  EXPECT_FALSE(graph.IsReady(2));
  EXPECT_EQ(graph.JobOf("a"), 0);
  EXPECT_TRUE(graph.Bind(9, "a"));
  EXPECT_FALSE(graph.IsReady(2));
  graph.Unbind(1);  // told late
  graph.Succeeded(9, 110);
  EXPECT_TRUE(graph.IsReady(2));
  // Renamed: in the children first, or afterwards.
  graph.SetParents(2, {"new"}, 0);
  EXPECT_FALSE(graph.IsReady(2));
  EXPECT_FALSE(graph.IsParent(9));
  EXPECT_TRUE(graph.Bind(9, "new"));
  graph.RemoveChild(2);
  EXPECT_TRUE(graph.empty());
  EXPECT_FALSE(graph.IsParent(9));
}

TEST(DependencyGraph, AFailureIsPassedOnOnce) {
  const DependencyGraph graph =
      Graph({{2, {"a"}}, {3, {"a"}}, {4, {"b", "c"}}, {5, {"d", "a"}}, {6, {"e"}}});
  const auto left_out = graph.LeftOutBy(1, All);
  std::map<std::int64_t, std::int64_t> parent_of;
  for (const auto& [job, parent] : left_out) {
    EXPECT_TRUE(parent_of.emplace(job, parent).second);
  }
  const std::map<std::int64_t, std::int64_t> expected{{2, 1}, {3, 1}, {4, 2}, {5, 1}, {6, 5}};
  EXPECT_EQ(parent_of, expected);
  // Who has a schedule of its own is not left out, and passes nothing on.
  EXPECT_EQ(graph.LeftOutBy(1, [](std::int64_t job) { return job != 5 && job != 2; }).size(), 2U);
}

TEST(DependencyGraph, WhoHasTheSuccessIsNotLeftOut) {
  DependencyGraph graph = Graph({{3, {"a", "b"}}});
  graph.Succeeded(1, 100);
  EXPECT_TRUE(graph.LeftOutBy(1, All).empty());
  EXPECT_EQ(graph.LeftOutBy(2, All).size(), 1U);
}

TEST(DependencyGraph, ACycleInTheTablesDoesNoHarm) {
  const DependencyGraph graph = Graph({{1, {"b"}}, {2, {"a"}}});
  EXPECT_EQ(graph.LeftOutBy(1, All).size(), 1U);
  EXPECT_FALSE(graph.IsReady(1));
}

// Random graphs and events, against sets of parents that have succeeded since.
TEST(DependencyGraph, AgreesWithSetsOfParents) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; round++) {
    const int jobs = 2 + static_cast<int>(random() % 25);
    std::map<std::int64_t, Names> parents;
    std::map<std::int64_t, std::set<std::int64_t>> missing;
    std::map<std::int64_t, std::set<std::int64_t>> parent_ids;
    for (int child = 2; child <= jobs; child++) {
      for (int parent = 1; parent < child; parent++) {
        if (random() % 4 == 0) {
          parents[child].push_back(std::string(1, static_cast<char>('a' + parent - 1)));
          parent_ids[child].insert(parent);
        }
      }
    }
    missing = parent_ids;
    DependencyGraph graph = Graph(parents);
    std::int64_t now = 1000;
    for (int step = 0; step < 500; step++) {
      now += static_cast<std::int64_t>(random() % 20) - 5;  // clocks of several processes
      const std::int64_t job = 1 + static_cast<std::int64_t>(random() % jobs);
      if (random() % 2 == 0) {
        graph.Succeeded(job, now);
        for (auto& [child, set] : missing) {
          set.erase(job);
        }
      } else if (parent_ids.contains(job)) {
        graph.Started(job, now);
        missing[job] = parent_ids[job];
      }
      for (const auto& [child, set] : missing) {
        ASSERT_EQ(graph.IsReady(child), set.empty()) << "round " << round << ", step " << step;
      }
    }
  }
}

TEST(FindCycle, NamesTheWay) {
  const std::map<std::string, Names> parents{{"b", {"x", "c"}}, {"c", {"d"}}, {"x", {}}};
  const auto parents_of = [&](const std::string& job) {
    const auto found = parents.find(job);
    return found != parents.end() ? found->second : Names();
  };
  EXPECT_EQ(FindCycle("d", {"b"}, parents_of), (Names{"d", "b", "c", "d"}));
  EXPECT_EQ(FindCycle("a", {"a"}, parents_of), (Names{"a", "a"}));
  EXPECT_TRUE(FindCycle("a", {"b", "c"}, parents_of).empty());
  EXPECT_TRUE(FindCycle("a", {}, parents_of).empty());
}

// Each job depends on some before it; then the first one is to depend on the last one.
TEST(FindCycle, ThousandsOfJobs) {
  constexpr int kJobs = 5000;
  std::mt19937 random(5);
  std::map<std::string, Names> parents;
  for (int job = 1; job < kJobs; job++) {
    parents[std::to_string(job)] = {std::to_string(job - 1), std::to_string(random() % job)};
  }
  int asked = 0;
  const auto parents_of = [&](const std::string& job) {
    asked++;
    return parents[job];
  };
  EXPECT_TRUE(FindCycle("new", {std::to_string(kJobs - 1)}, parents_of).empty());
  EXPECT_LE(asked, kJobs);
  const Names cycle = FindCycle("0", {std::to_string(kJobs - 1)}, parents_of);
  ASSERT_GE(cycle.size(), 3U);
  EXPECT_EQ(cycle.front(), "0");
  EXPECT_EQ(cycle.back(), "0");
  for (std::size_t i = 1; i + 1 < cycle.size(); i++) {
    const Names& of = parents[cycle[i]];
    EXPECT_NE(std::find(of.begin(), of.end(), cycle[i + 1]), of.end());
  }
}

TEST(DependencyWords, SayWhyAJobWaits) {
  MissingSuccess missing;
  missing.parent = "load";
  EXPECT_EQ(Reason(missing), "job \"load\" does not exist");
  EXPECT_TRUE(IsTrouble(missing));
  missing.exists = true;
  EXPECT_EQ(Reason(missing), "job \"load\" has not succeeded since this job was defined");
  EXPECT_FALSE(IsTrouble(missing));
  missing.child_run = 12;
  missing.parent_run = 17;
  missing.parent_status = RunStatus::kTimedOut;
  EXPECT_EQ(WhatItWaitsFor(missing),
            "job \"load\", which has not succeeded since run 12: its last run 17 timed out");
  EXPECT_TRUE(IsTrouble(missing));
  EXPECT_EQ(FailureOf("load", 17, RunStatus::kCanceled), "job \"load\" was canceled (run 17)");
}

}  // namespace
}  // namespace ratchet::policy
