// What a line of tasks is made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "policy/rate_window.h"
#include "policy/task_index.h"
#include "policy/task_set.h"

namespace ratchet::policy {
namespace {

TEST(TaskIndex, AsAMap) {
  std::mt19937_64 random(4711);
  TaskIndex index;
  std::map<std::int64_t, std::uint32_t> model;
  std::vector<std::int64_t> ids;
  const auto id_at = [&ids](std::uint32_t place) { return ids[place]; };
  for (int step = 0; step < 200'000; step++) {
    const std::int64_t id =
        static_cast<std::int64_t>(random() % 3'000) * (step % 2 == 0 ? 1 : 1 << 20);
    const auto known = model.find(id);
    ASSERT_EQ(index.Find(id, id_at), known == model.end() ? TaskIndex::kNone : known->second);
    if (known != model.end()) {
      index.Remove(id, id_at);
      model.erase(known);
    } else {
      ids.push_back(id);
      const auto place = static_cast<std::uint32_t>(ids.size() - 1);
      index.Add(id, place, id_at);
      model.emplace(id, place);
    }
  }
  index.Clear();
  EXPECT_EQ(index.Find(1, id_at), TaskIndex::kNone);
}

TEST(TaskSet, AsASet) {
  std::mt19937_64 random(4711);
  TaskSet backlog;
  std::set<std::int64_t> model;
  for (int step = 0; step < 200'000; step++) {
    const std::int64_t id =
        static_cast<std::int64_t>(random() % 3'000) * (step % 2 == 0 ? 1 : 1 << 20);
    ASSERT_EQ(backlog.Contains(id), model.contains(id));
    if (step % 5 == 0) {
      ASSERT_EQ(backlog.Erase(id), model.erase(id) > 0);
    } else if (step % 7 != 0) {
      ASSERT_EQ(backlog.Insert(id), model.insert(id).second);
    } else if (!model.empty()) {
      const TaskSet::Range range = backlog.First(10);
      ASSERT_EQ(range.first, *model.begin());
      const auto behind = model.upper_bound(range.last);
      ASSERT_TRUE(model.contains(range.last));
      ASSERT_LE(std::distance(model.begin(), behind), 10);
      model.erase(model.begin(), behind);
      backlog.EraseRange(range);
    }
    ASSERT_EQ(backlog.size(), std::ssize(model));
  }
}

TEST(TaskSet, TakesUpToSoManyThatLieTogether) {
  TaskSet backlog;
  for (const std::int64_t id : {5, 6, 8, 20, 100, 101}) {
    EXPECT_TRUE(backlog.Insert(id));
  }
  EXPECT_EQ(backlog.First(2).last, 6);
  EXPECT_EQ(backlog.First(100).first, 5);
  EXPECT_EQ(backlog.First(100).last, 20) << "between 20 and 100 there are others";
  backlog.EraseRange(backlog.First(100));
  EXPECT_EQ(backlog.First(100).last, 101);
  EXPECT_EQ(backlog.size(), 2);
  TaskSet others;
  others.Insert(99);
  others.Insert(100);  // in both
  others.Insert(1'000'000);
  backlog.Add(others);
  EXPECT_EQ(backlog.size(), 4);
  EXPECT_TRUE(backlog.Contains(1'000'000));
  EXPECT_EQ(backlog.First(100).first, 99);
  EXPECT_TRUE(backlog.Erase(99));
  EXPECT_EQ(backlog.First(100).first, 100);
  backlog.Clear();
  EXPECT_TRUE(backlog.IsEmpty());
}

TEST(RateWindow, CountsFromTheStart) {
  const Rate rate{2, 100};
  RateWindow window;
  EXPECT_EQ(window.Room(rate, {10}), 2);
  window.Open();
  window.Open();
  EXPECT_EQ(window.Room(rate, {1'000}), 0);
  EXPECT_EQ(window.NextRoom(rate, {1'000}), kNeverSteady);
  EXPECT_EQ(window.IdleFrom(rate, {1'000}), kNeverSteady);
  window.Started(rate, {1'000});
  window.Dropped();
  EXPECT_EQ(window.Room(rate, {1'001}), 1);
  EXPECT_EQ(window.NextRoom(rate, {1'001}), SteadyTime{1'001});
  EXPECT_EQ(window.IdleFrom(rate, {1'001}), SteadyTime{1'100});
  EXPECT_EQ(window.Room(rate, {1'099}), 1);
  EXPECT_EQ(window.Room(rate, {1'100}), 2);
  EXPECT_EQ(window.IdleFrom(rate, {1'100}), kNoSteadyTime);
}

TEST(RateWindow, ALowerLimitWaitsForMore) {
  Rate rate{3, 100};
  RateWindow window;
  for (const std::int64_t time : {10, 20, 30}) {
    window.Open();
    window.Started(rate, {time});
  }
  EXPECT_EQ(window.NextRoom(rate, {40}), SteadyTime{110});
  rate.starts = 1;
  EXPECT_EQ(window.NextRoom(rate, {40}), SteadyTime{130});
  EXPECT_EQ(window.Room(rate, {129}), 0);
  EXPECT_EQ(window.Room(rate, {130}), 1);
}

// However many: never more than the limit in a period, and nearly as many.
TEST(RateWindow, ManyStarts) {
  const Rate rate{50'000, 1'000'000};
  RateWindow window;
  std::vector<std::int64_t> starts;
  std::int64_t now = 1;
  for (; now < 3'000'000; now += 7) {
    if (window.Room(rate, {now}) > 0) {
      window.Open();
      window.Started(rate, {now});
      starts.push_back(now);
    }
  }
  for (std::size_t i = 50'000; i < starts.size(); i++) {
    ASSERT_GE(starts[i] - starts[i - 50'000], rate.period);
  }
  EXPECT_GT(starts.size(), 149'000U);
}

}  // namespace
}  // namespace ratchet::policy
