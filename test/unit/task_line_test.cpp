#include "policy/task_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

namespace ratchet::policy {
namespace {

using Ids = std::vector<std::int64_t>;

constexpr std::int64_t kSecond = 1'000'000;

Moment At(std::int64_t micros) { return {micros, {micros}}; }

TaskLine::Task TaskOf(std::int64_t id, std::uint64_t group = 0, std::int32_t priority = 0) {
  TaskLine::Task task;
  task.id = id;
  task.group_key = group;
  task.priority = priority;
  return task;
}

TaskLine::Task KeyedTask(std::int64_t id, std::uint64_t key, calendar::Instant run_at = 0) {
  TaskLine::Task task = TaskOf(id);
  task.ordering_key = key;
  task.run_at = run_at;
  return task;
}

Ids Grant(TaskLine* line, int most, const Moment& now) {
  std::vector<TaskLine::Granted> granted;
  line->Grant(most, now, &granted);
  Ids ids;
  for (const TaskLine::Granted& task : granted) {
    ids.push_back(task.id);
  }
  return ids;
}

TEST(TaskLine, OldestFirstAndEachOnce) {
  TaskLine line({});
  for (const std::int64_t id : {3, 1, 2}) {
    line.Add(TaskOf(id), At(id == 3 ? 10 : 20));
  }
  line.Add(TaskOf(3), At(30));  // told twice
  EXPECT_EQ(Grant(&line, 2, At(40)), (Ids{3, 1}));
  line.Add(TaskOf(3), At(41));
  EXPECT_EQ(Grant(&line, 9, At(42)), (Ids{2}));
  EXPECT_EQ(line.counts().out, 3);
  EXPECT_TRUE(Grant(&line, 9, At(43)).empty());
  for (const std::int64_t id : {1, 2, 3}) {
    line.Finished(id, At(44));
    line.Finished(id, At(44));
  }
  EXPECT_TRUE(line.IsEmpty());
  EXPECT_EQ(line.counts().out, 0);
}

TEST(TaskLine, AddedLastComesBehindThoseOfItsGroupAndPriority) {
  TaskLine line({});
  line.Add(TaskOf(1), At(100));
  line.Add(TaskOf(2), At(110));
  line.AddLast(TaskOf(3), At(120), 120);  // it has waited for longer
  line.AddLast(TaskOf(4), At(130), 5);
  line.AddLast(TaskOf(5, 0, -1), At(140), 0);
  line.AddLast(TaskOf(6, 7), At(150), 140);
  EXPECT_EQ(line.WaitingOf(0), 5);
  EXPECT_EQ(line.WaitingOf(-1), 1);
  EXPECT_EQ(line.WaitingOf(1), 0);
  EXPECT_EQ(line.OldestWait(At(150)), 140);
  EXPECT_EQ(Grant(&line, 1, At(160)), (Ids{5}));
  EXPECT_EQ(line.WaitingOf(-1), 0);
  Ids rest = Grant(&line, 9, At(160));
  std::erase(rest, 6);
  EXPECT_EQ(rest, (Ids{1, 2, 3, 4}));
  EXPECT_EQ(line.WaitingOf(0), 0);
}

TEST(TaskLine, TellsWhereTheRowIs) {
  TaskLine line({});
  TaskLine::Task task = TaskOf(7);
  task.row = {{1, 2, 3}};
  line.Add(task, At(1));
  std::vector<TaskLine::Granted> granted;
  ASSERT_EQ(line.Grant(1, At(1), &granted), 1);
  EXPECT_EQ(granted[0].row.words[2], 3);
}

TEST(TaskLine, GivenBackHasItsPlaceAgain) {
  TaskLine line({});
  for (std::int64_t id = 1; id <= 6; id++) {
    line.Add(TaskOf(id), At(id));
  }
  EXPECT_EQ(Grant(&line, 4, At(10)), (Ids{1, 2, 3, 4}));
  for (const std::int64_t id : {3, 2, 4}) {
    line.Back(id, TaskLine::Begun::kNo, At(11));
  }
  line.Add(TaskOf(7), At(12));
  EXPECT_EQ(Grant(&line, 9, At(13)), (Ids{2, 3, 4, 5, 6, 7}));
}

TEST(TaskLine, RemovedIsNotGranted) {
  TaskLine line({});
  for (std::int64_t id = 1; id <= 3; id++) {
    line.Add(TaskOf(id), At(id));
  }
  EXPECT_EQ(Grant(&line, 1, At(4)), (Ids{1}));
  line.Remove(1, At(5));  // whoever has it finds out
  EXPECT_TRUE(line.IsOut(1));
  line.Remove(2, At(5));
  line.Remove(99, At(5));
  EXPECT_EQ(Grant(&line, 9, At(6)), (Ids{3}));
}

TEST(TaskLine, PriorityGoesFirst) {
  TaskLine line({});
  line.Add(TaskOf(1, 0, 5), At(1));
  line.Add(TaskOf(2, 0, -5), At(2));
  line.Add(TaskOf(3, 0, 0), At(3));
  line.Add(TaskOf(4, 0, -5), At(4));
  EXPECT_EQ(Grant(&line, 9, At(5)), (Ids{2, 4, 3, 1}));
  EXPECT_EQ(line.counts().aged, 0);
}

// Nine of ten that come are of the better priority, and more come than are done.
TEST(TaskLine, NoPriorityStarves) {
  TaskLine line({});
  std::int64_t id = 0;
  std::map<std::int64_t, std::int64_t> came_low;
  std::int64_t longest = 0;
  for (std::int64_t second = 0; second < 600; second++) {
    const Moment now = At((1'000 + second) * kSecond);
    for (int i = 0; i < 10; i++) {
      line.Add(TaskOf(++id, 0, i == 0 ? 1 : 0), now);
      if (i == 0) {
        came_low[id] = second;
      }
    }
    for (const std::int64_t granted : Grant(&line, 8, now)) {
      line.Finished(granted, now);
      if (const auto low = came_low.find(granted); low != came_low.end()) {
        longest = std::max(longest, second - low->second);
        came_low.erase(low);
      }
    }
  }
  ASSERT_FALSE(came_low.empty());
  longest = std::max(longest, 600 - came_low.begin()->second);
  EXPECT_GT(line.counts().aged, 0);
  // A minute longer than those of the better priority, of which in the end each waits for that.
  EXPECT_LE(longest, 60 + 180);
}

TEST(TaskLine, AGroupWithThousandsLeavesOthersTheirTurn) {
  TaskLine line({});
  for (std::int64_t id = 1; id <= 5'000; id++) {
    line.Add(TaskOf(id, 1), At(id));
  }
  Grant(&line, 500, At(6'000));
  line.Add(TaskOf(9'001, 2), At(3'600 * kSecond));  // when the others have waited for an hour
  line.Add(TaskOf(9'002, 3), At(3'600 * kSecond));
  line.Add(TaskOf(9'003, 3), At(3'600 * kSecond));
  const Ids next = Grant(&line, 6, At(3'600 * kSecond));
  for (const std::int64_t id : {9'001, 9'002, 9'003}) {
    EXPECT_TRUE(std::count(next.begin(), next.end(), id) == 1) << id;
  }
}

TEST(TaskLine, SoManyOfAGroupAtATime) {
  TaskLine::Rules rules;
  rules.per_group = 2;
  TaskLine line(rules);
  for (std::int64_t id = 1; id <= 4; id++) {
    line.Add(TaskOf(id, 1), At(id));
  }
  line.Add(TaskOf(5, 2), At(5));
  EXPECT_EQ(Grant(&line, 9, At(6)), (Ids{1, 5, 2}));
  EXPECT_TRUE(line.RestsForRate(At(6)));
  EXPECT_EQ(line.NextLook(At(6)), INT64_MAX);
  line.Finished(2, At(7));
  EXPECT_EQ(Grant(&line, 9, At(8)), (Ids{3}));
  line.Back(1, TaskLine::Begun::kNo, At(9));
  EXPECT_EQ(Grant(&line, 9, At(10)), (Ids{1}));
  // Lowered: what is out is let finish. Raised: the others go at once.
  rules.per_group = 1;
  line.SetRules(rules, At(11));
  line.Finished(1, At(12));
  EXPECT_TRUE(Grant(&line, 9, At(13)).empty());
  rules.per_group = 0;
  line.SetRules(rules, At(14));
  EXPECT_EQ(Grant(&line, 9, At(15)), (Ids{4}));
}

TEST(TaskLine, OneOfAKeyInTheOrderOfEnqueuing) {
  TaskLine line({});
  for (std::int64_t id = 1; id <= 3; id++) {
    line.Add(KeyedTask(id, 7), At(id));
  }
  line.Add(KeyedTask(4, 8), At(4));
  line.Add(TaskOf(5), At(5));
  EXPECT_EQ(line.counts().blocked, 2);
  EXPECT_EQ(Grant(&line, 9, At(6)), (Ids{1, 4, 5}));
  // A failed head keeps its key waiting.
  line.Delay(1, 100, At(7));
  EXPECT_TRUE(Grant(&line, 9, At(8)).empty());
  EXPECT_EQ(line.NextLook(At(8)), 92);
  EXPECT_TRUE(Grant(&line, 9, At(99)).empty());
  EXPECT_EQ(Grant(&line, 9, At(100)), (Ids{1}));
  line.Finished(1, At(101));  // or dead, or canceled
  EXPECT_EQ(Grant(&line, 9, At(102)), (Ids{2}));
  line.Back(2, TaskLine::Begun::kPerhaps, At(103));
  EXPECT_EQ(Grant(&line, 9, At(104)), (Ids{2}));
  line.Finished(2, At(105));
  EXPECT_EQ(Grant(&line, 9, At(106)), (Ids{3}));
}

TEST(TaskLine, ACanceledOrDelayedHeadOfAKey) {
  TaskLine line({});
  line.Add(KeyedTask(1, 7, 50), At(1));
  line.Add(KeyedTask(2, 7), At(2));
  line.Add(KeyedTask(3, 7, 80), At(3));
  line.Add(KeyedTask(4, 7), At(4));
  EXPECT_TRUE(Grant(&line, 9, At(5)).empty());
  line.Remove(1, At(6));
  EXPECT_EQ(Grant(&line, 9, At(7)), (Ids{2}));
  line.Finished(2, At(8));
  EXPECT_EQ(line.counts().delayed, 1);
  EXPECT_EQ(Grant(&line, 9, At(80)), (Ids{3}));
}

TEST(TaskLine, WhoCommitsLateComesBeforeOthersOfItsKey) {
  TaskLine line({});
  line.Add(KeyedTask(5, 7), At(1));
  line.Add(KeyedTask(6, 7), At(1));
  line.Add(KeyedTask(4, 7), At(2));
  EXPECT_EQ(Grant(&line, 9, At(3)), (Ids{4}));
  line.Add(KeyedTask(3, 7), At(4));
  EXPECT_TRUE(Grant(&line, 9, At(5)).empty());  // never two at once
  line.Back(4, TaskLine::Begun::kNo, At(6));
  EXPECT_EQ(Grant(&line, 9, At(7)), (Ids{3}));
  line.Finished(3, At(8));
  EXPECT_EQ(Grant(&line, 9, At(9)), (Ids{4}));
}

TEST(TaskLine, WhatIsInHandsAtTheBeginningKeepsItsKeyAndItsGroup) {
  TaskLine::Rules rules;
  rules.per_group = 1;
  TaskLine line(rules);
  line.Add(KeyedTask(1, 7, 5'000), At(1));
  TaskLine::Task claimed = KeyedTask(2, 7);
  claimed.group_key = 3;
  line.AddOut(claimed, At(2));
  line.Add(KeyedTask(2, 7), At(2));
  line.Add(TaskOf(4, 3), At(3));
  EXPECT_TRUE(Grant(&line, 9, At(4)).empty());
  line.Finished(2, At(5));
  EXPECT_EQ(Grant(&line, 9, At(6)), (Ids{4}));
  EXPECT_EQ(Grant(&line, 9, At(5'000)), (Ids{1}));
}

TEST(TaskLine, SuspectsArePassedOverAndKeepTheirPlace) {
  TaskLine::Rules rules;
  rules.rate = {3, kSecond};
  TaskLine line(rules);
  for (std::int64_t id = 1; id <= 5; id++) {
    line.Add(TaskOf(id), At(id));
  }
  line.SetAlone(1, true);
  line.SetAlone(3, true);
  std::vector<TaskLine::Granted> granted;
  EXPECT_EQ(line.Grant(2, At(10), &granted, false), 2);
  EXPECT_EQ(granted[0].id, 2);
  EXPECT_EQ(granted[1].id, 4);
  EXPECT_EQ(line.counts().waiting, 3);
  EXPECT_EQ(line.counts().out, 2);
  // They have not counted against the rate: there is room for one more.
  EXPECT_EQ(Grant(&line, 9, At(11)), Ids{1});
  EXPECT_TRUE(Grant(&line, 9, At(12)).empty());
  line.SetAlone(3, false);
  for (const std::int64_t id : {1, 2, 4}) {
    line.Finished(id, At(13));
  }
  EXPECT_EQ(Grant(&line, 9, At(13 + kSecond)), (Ids{3, 5}));
}

TEST(TaskLine, TheseTasksWithinTheLimits) {
  TaskLine::Rules rules;
  rules.per_group = 2;
  rules.rate = {5, kSecond};
  TaskLine line(rules);
  for (std::int64_t id = 1; id <= 6; id++) {
    line.Add(TaskOf(id, id <= 3 ? 1 : 2), At(id));
  }
  TaskLine::Task late = TaskOf(7, 3);
  late.run_at = 5'000;
  line.Add(late, At(7));
  line.Add(KeyedTask(8, 9), At(8));
  line.Add(KeyedTask(9, 9), At(9));
  std::vector<TaskLine::Granted> granted;
  // 3 is one too many of its group, 7 is for later, 9 is behind 8, and 10 is not there.
  line.GrantThese({3, 1, 2, 7, 8, 9, 10, 1}, At(20), &granted);
  Ids ids;
  for (const TaskLine::Granted& task : granted) {
    ids.push_back(task.id);
  }
  EXPECT_EQ(ids, (Ids{3, 1, 8}));
  granted.clear();
  line.GrantThese({4, 5, 6}, At(21), &granted);
  EXPECT_EQ(granted.size(), 2U);  // five are the rate
  line.Finished(3, At(22));
  line.Finished(8, At(22));
  EXPECT_TRUE(Grant(&line, 9, At(23)).empty());
  // Those that are out count still.
  EXPECT_EQ(Grant(&line, 9, At(22 + kSecond)), (Ids{2, 9}));
}

TEST(TaskLine, AloneMeansAlone) {
  TaskLine line({});
  for (std::int64_t id = 1; id <= 4; id++) {
    TaskLine::Task task = TaskOf(id);
    task.alone = id == 2 || id == 3;
    line.Add(task, At(id));
  }
  EXPECT_EQ(Grant(&line, 9, At(5)), (Ids{1}));
  EXPECT_EQ(Grant(&line, 9, At(5)), (Ids{2}));
  EXPECT_EQ(Grant(&line, 9, At(5)), (Ids{3}));
  EXPECT_EQ(Grant(&line, 9, At(5)), (Ids{4}));
  line.Back(4, TaskLine::Begun::kPerhaps, At(6));
  TaskLine::Task again = TaskOf(4);
  again.alone = true;
  line.Add(again, At(6));
  line.Add(TaskOf(5), At(6));
  EXPECT_EQ(Grant(&line, 9, At(7)), (Ids{4}));
}

TEST(TaskLine, NotDoneInTime) {
  TaskLine line({});
  TaskLine::Task task = KeyedTask(1, 7);
  task.expires_at = 50;
  line.Add(task, At(1));
  line.Add(KeyedTask(2, 7), At(2));
  EXPECT_EQ(line.NextLook(At(10)), 40);
  EXPECT_TRUE(Grant(&line, 9, At(50)).empty());
  EXPECT_EQ(line.NextLook(At(50)), 0);
  Ids expired;
  line.TakeExpired(9, At(50), &expired);
  EXPECT_EQ(expired, (Ids{1}));
  EXPECT_TRUE(Grant(&line, 9, At(51)).empty());  // its row is there still
  line.Finished(1, At(52));
  EXPECT_EQ(Grant(&line, 9, At(53)), (Ids{2}));
}

TEST(TaskLine, TheRateOfTheQueueAndWhenItGoesOn) {
  TaskLine::Rules rules;
  rules.rate = {3, 100};
  TaskLine line(rules);
  for (std::int64_t id = 1; id <= 9; id++) {
    line.Add(TaskOf(id), At(1'000));
  }
  EXPECT_EQ(Grant(&line, 9, At(1'000)), (Ids{1, 2, 3}));
  EXPECT_TRUE(line.RestsForRate(At(1'000)));
  EXPECT_EQ(line.NextLook(At(1'000)), INT64_MAX) << "they may start at any time";
  EXPECT_TRUE(Grant(&line, 9, At(1'500)).empty());
  line.Started(1, At(1'510));
  line.Back(2, TaskLine::Begun::kNo, At(1'510));
  line.Finished(3, At(1'520));
  EXPECT_EQ(Grant(&line, 9, At(1'530)), (Ids{2}));
  EXPECT_EQ(line.NextLook(At(1'530)), 80);
  EXPECT_TRUE(Grant(&line, 9, At(1'609)).empty());
  EXPECT_EQ(Grant(&line, 9, At(1'610)), (Ids{4}));
  EXPECT_EQ(Grant(&line, 9, At(1'620)), (Ids{5}));
}

TEST(TaskLine, AGroupAtItsRateDelaysNobody) {
  TaskLine::Rules rules;
  rules.rate = {1, 1'000'000};
  rules.rate_per_group = true;
  TaskLine line(rules);
  constexpr std::int64_t kResting = 20'000;
  for (std::int64_t id = 1; id <= kResting; id++) {
    line.Add(TaskOf(id, static_cast<std::uint64_t>(1 + id % 100)), At(id));
  }
  Ids first = Grant(&line, 500, At(kResting));
  ASSERT_EQ(first.size(), 100U);
  for (const std::int64_t id : first) {
    line.Finished(id, At(kResting));
  }
  EXPECT_TRUE(Grant(&line, 500, At(kResting + 1)).empty());
  EXPECT_EQ(line.NextLook(At(kResting + 1)), 999'999);
  line.Add(TaskOf(77'777, 500), At(kResting + 2));
  EXPECT_EQ(Grant(&line, 500, At(kResting + 2)), (Ids{77'777}));
  EXPECT_EQ(Grant(&line, 500, At(kResting + 1'000'000)).size(), 100U);
}

TEST(TaskLine, ABlindStartWaitsForAPeriod) {
  for (const bool per_group : {false, true}) {
    TaskLine::Rules rules;
    rules.rate = {2, 100};
    rules.rate_per_group = per_group;
    TaskLine line(rules, {1'100});
    line.Add(TaskOf(1), At(1'000));
    EXPECT_TRUE(Grant(&line, 9, At(1'000)).empty());
    EXPECT_EQ(line.NextLook(At(1'000)), 100);
    EXPECT_TRUE(Grant(&line, 9, At(1'099)).empty());
    EXPECT_EQ(Grant(&line, 9, At(1'100)), (Ids{1}));
  }
}

TEST(TaskLine, OtherRules) {
  TaskLine::Rules rules;
  TaskLine line(rules);
  for (std::int64_t id = 1; id <= 9; id++) {
    line.Add(TaskOf(id, static_cast<std::uint64_t>(id % 2)), At(id));
  }
  EXPECT_EQ(Grant(&line, 1, At(10)).size(), 1U);
  rules.rate = {2, 100};
  line.SetRules(rules, At(11));
  EXPECT_EQ(Grant(&line, 9, At(11)).size(), 2U);
  rules.rate_per_group = true;
  line.SetRules(rules, At(12));
  EXPECT_EQ(Grant(&line, 9, At(12)).size(), 4U);
  for (std::int64_t id = 1; id <= 9; id++) {
    line.Finished(id, At(13));
  }
  EXPECT_TRUE(Grant(&line, 9, At(14)).empty());
  rules.rate = {};
  line.SetRules(rules, At(15));
  EXPECT_EQ(Grant(&line, 9, At(15)).size(), 2U);
}

TEST(TaskLine, ReadAgain) {
  TaskLine::Rules rules;
  rules.rate = {2, 100};
  TaskLine line(rules);
  for (std::int64_t id = 1; id <= 5; id++) {
    line.Add(KeyedTask(id, static_cast<std::uint64_t>(1 + id % 2)), At(id));
  }
  EXPECT_EQ(Grant(&line, 9, At(6)), (Ids{1, 2}));
  line.ForgetAllButOut(At(7));
  EXPECT_EQ(line.counts().out, 2);
  EXPECT_FALSE(line.Knows(3));
  line.Add(KeyedTask(3, 2), At(8));
  line.Add(KeyedTask(6, 3), At(8));
  EXPECT_EQ(line.counts().blocked, 1);
  EXPECT_TRUE(Grant(&line, 9, At(9)).empty());
  line.Finished(1, At(10));
  EXPECT_EQ(Grant(&line, 9, At(110)), (Ids{6}));
}

// What rests, is delayed or blocked costs those nothing that go.
TEST(TaskLine, MillionsBeside) {
  const auto nanos_each = [](std::int64_t beside) {
    TaskLine::Rules rules;
    rules.rate = {1, 3'600 * kSecond};
    rules.rate_per_group = true;
    TaskLine line(rules);
    std::int64_t id = 0;
    for (std::int64_t i = 0; i < beside; i++) {
      TaskLine::Task task = TaskOf(++id, 1 + static_cast<std::uint64_t>(i % 1'000));
      task.ordering_key = i % 3 == 0 ? 1 : 0;
      task.run_at = i % 3 == 1 ? 3'600 * kSecond : 0;
      line.Add(task, At(i));
    }
    for (const std::int64_t granted : Grant(&line, 5'000, At(beside))) {
      line.Started(granted, At(beside));
    }
    constexpr int kTasks = 20'000;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kTasks; i++) {
      line.Add(TaskOf(++id, 10'000 + static_cast<std::uint64_t>(i)), At(beside + i));
    }
    int granted = 0;
    for (Ids ids; !(ids = Grant(&line, 500, At(beside + kTasks))).empty();) {
      granted += static_cast<int>(ids.size());
      for (const std::int64_t done : ids) {
        line.Finished(done, At(beside + kTasks));
      }
    }
    EXPECT_GE(granted, kTasks);
    const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
    return static_cast<double>(took.count()) / kTasks;
  };
  const double alone = std::min(nanos_each(0), nanos_each(0));
  EXPECT_LT(nanos_each(100'000), 20 * alone + 1'000);
}

}  // namespace
}  // namespace ratchet::policy
