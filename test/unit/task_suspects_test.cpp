#include "policy/task_suspects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "policy/task_set.h"

namespace ratchet::policy {
namespace {

using Tasks = TaskSuspects::Tasks;
using Verdict = TaskSuspects::Verdict;

Tasks Numbers(std::int64_t first, std::int64_t last) {
  Tasks tasks;
  for (std::int64_t task = first; task <= last; task++) {
    tasks.push_back(task);
  }
  return tasks;
}

TEST(TaskSuspects, HalvesMissNone) {
  EXPECT_EQ(TaskSuspects::Halves({7}), std::vector<Tasks>{{7}});
  EXPECT_EQ(TaskSuspects::Halves({1, 2, 3}), (std::vector<Tasks>{{1, 2}, {3}}));
}

TEST(TaskSuspects, WhoWasSuspectedBeforeIsToBlame) {
  EXPECT_EQ(TaskSuspects::Judge({}), std::vector<Verdict>{});
  EXPECT_EQ(TaskSuspects::Judge({false}), std::vector<Verdict>{Verdict::kGuilty});
  EXPECT_EQ(TaskSuspects::Judge({false, false}),
            (std::vector<Verdict>{Verdict::kSuspected, Verdict::kSuspected}));
  EXPECT_EQ(TaskSuspects::Judge({false, true, false}),
            (std::vector<Verdict>{Verdict::kNotGuilty, Verdict::kGuilty, Verdict::kNotGuilty}));
}

TEST(TaskSuspects, AGroupIsEmptyWhenAllOfItAreCleared) {
  TaskSuspects suspects;
  suspects.Add(100, {1, 2});
  EXPECT_EQ(suspects.GroupOf(2), (Tasks{1, 2}));
  EXPECT_EQ(suspects.Clear(1), 0);
  EXPECT_EQ(suspects.Clear(1), 0);
  EXPECT_EQ(suspects.Clear(2), 100);
  EXPECT_TRUE(suspects.IsEmpty());
  EXPECT_TRUE(suspects.GroupOf(2).empty());
}

TEST(TaskSuspects, ATaskIsInOneGroup) {
  TaskSuspects suspects;
  suspects.Add(100, {1, 2, 3});
  suspects.Add(101, {1, 2});
  EXPECT_EQ(suspects.GroupOf(3), Tasks{3});
  EXPECT_TRUE(suspects.TakeEmptied().empty());
  suspects.Add(102, {3});
  EXPECT_EQ(suspects.TakeEmptied(), Tasks{100});
  EXPECT_EQ(suspects.GroupOf(1), (Tasks{1, 2}));
}

// A server on which some tasks bring everything down, and what the scheduler makes of it.
TEST(TaskSuspects, WhoIsToBlameIsFoundInAFewCrashesAndNobodyElse) {
  std::mt19937 random(4711);
  for (int round = 0; round < 200; round++) {
    const auto count = static_cast<std::int64_t>(1 + random() % 500);
    std::set<std::int64_t> killers;
    for (std::uint32_t i = 0; i < 1 + random() % 3; i++) {
      killers.insert(1 + static_cast<std::int64_t>(random()) % count);
    }
    const std::size_t to_find = killers.size();
    TaskSuspects suspects;
    std::int64_t number = 1000;
    std::set<std::int64_t> blamed;
    std::set<std::int64_t> done;
    const auto accuse = [&](const Tasks& tasks) {
      if (tasks.size() == 1) {
        blamed.insert(tasks.front());
        killers.erase(tasks.front());  // set aside
        suspects.Clear(tasks.front());
        return;
      }
      for (const Tasks& half : TaskSuspects::Halves(tasks)) {
        suspects.Add(number++, half);
      }
    };
    int crashes = 1;
    accuse(Numbers(1, count));
    while (!suspects.IsEmpty()) {
      std::int64_t next = 1;
      while (!suspects.Includes(next)) {
        next++;
      }
      const Tasks group = suspects.GroupOf(next);
      const bool dies = std::any_of(group.begin(), group.end(),
                                    [&](std::int64_t task) { return killers.contains(task); });
      if (dies) {
        crashes++;
        accuse(group);
        continue;
      }
      for (const std::int64_t task : group) {
        suspects.Clear(task);
        done.insert(task);
      }
    }
    EXPECT_EQ(blamed.size(), to_find);
    EXPECT_TRUE(killers.empty());
    EXPECT_EQ(done.size(), static_cast<std::size_t>(count) - to_find);
    EXPECT_LE(crashes, 1 + 10 * static_cast<int>(to_find));
  }
}

TEST(TaskSet, IsASetOfNumbers) {
  std::mt19937 random(42);
  TaskSet tasks;
  std::set<std::int64_t> model;
  for (int i = 0; i < 20'000; i++) {
    const std::int64_t near = static_cast<std::int64_t>(random() % 3000);
    const std::int64_t task = random() % 4 == 0 ? near * 1'000'003'000'001 : near;
    if (random() % 2 == 0) {
      EXPECT_EQ(tasks.Insert(task), model.insert(task).second);
    } else {
      EXPECT_EQ(tasks.Erase(task), model.erase(task) > 0);
    }
    ASSERT_EQ(tasks.size(), static_cast<std::int64_t>(model.size()));
  }
  tasks.Clear();
  EXPECT_EQ(tasks.size(), 0);
  EXPECT_TRUE(tasks.Insert(7));
}

}  // namespace
}  // namespace ratchet::policy
