#include "policy/item_isolation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace ratchet::policy {
namespace {

using Slice = ItemIsolation::Slice;

// Walks a batch; returns the slices that were executed as (first, count), and the condemned items.
struct Walked {
  std::vector<std::pair<int, int>> slices;
  std::set<int> condemned;
};

Walked Walk(ItemIsolation& isolation, int items, const std::set<int>& bad, bool culprit_known,
            double item_micros = 20, double savepoint_micros = 3, double slice_micros = 0) {
  Walked walked;
  isolation.BeginBatch(items);
  while (!isolation.Done()) {
    const Slice slice = isolation.Next();
    walked.slices.emplace_back(slice.first, slice.count);
    const auto culprit = bad.lower_bound(slice.first);
    if (culprit == bad.end() || *culprit >= slice.first + slice.count) {
      isolation.Succeeded(static_cast<std::int64_t>(slice.count * item_micros + slice_micros),
                          static_cast<std::int64_t>(savepoint_micros));
      continue;
    }
    const int item = isolation.Failed(culprit_known ? *culprit : ItemIsolation::kUnknown);
    if (item != ItemIsolation::kNone) {
      EXPECT_TRUE(walked.condemned.insert(item).second) << item;
    }
  }
  EXPECT_EQ(walked.condemned, bad);
  return walked;
}

std::set<int> EveryNth(int items, int n) {
  std::set<int> bad;
  for (int i = n / 2; i < items; i += n) {
    bad.insert(i);
  }
  return bad;
}

TEST(ItemIsolation, OneSliceWhileNothingFails) {
  ItemIsolation isolation;
  for (int i = 0; i < 100; i++) {
    const Walked walked = Walk(isolation, 500, {}, true);
    EXPECT_EQ(walked.slices, (std::vector<std::pair<int, int>>{{0, 500}}));
  }
  EXPECT_EQ(isolation.failure_rate(), 0);
  EXPECT_EQ(isolation.savepoint_distance(), 500);
}

TEST(ItemIsolation, EmptyBatchIsDone) {
  ItemIsolation isolation;
  EXPECT_TRUE(isolation.Done());
  isolation.BeginBatch(0);
  EXPECT_TRUE(isolation.Done());
}

TEST(ItemIsolation, KnownCulpritIsCondemnedAtOnceAndThePrefixRedone) {
  ItemIsolation isolation;
  isolation.BeginBatch(1000);
  EXPECT_EQ(isolation.Failed(700), 700);
  EXPECT_FALSE(isolation.CanStop()) << "700 would fail again in another batch";
  EXPECT_EQ(isolation.Next().first, 0);
  EXPECT_EQ(isolation.Next().count, 700);
  isolation.Succeeded(14'000, 3);
  EXPECT_TRUE(isolation.CanStop());
  EXPECT_EQ(isolation.finished(), 701);
  EXPECT_EQ(isolation.Next().first, 701);
  EXPECT_LT(isolation.Next().count, 100) << "it has learnt from it";
}

TEST(ItemIsolation, FirstItemNeedsNoRedo) {
  ItemIsolation isolation;
  isolation.BeginBatch(10);
  EXPECT_EQ(isolation.Failed(0), 0);
  EXPECT_EQ(isolation.Next().first, 1);
  EXPECT_TRUE(isolation.CanStop());
}

TEST(ItemIsolation, PrefixThatFailsAtAnotherItem) {
  ItemIsolation isolation;
  isolation.BeginBatch(10);
  EXPECT_EQ(isolation.Failed(8), 8);
  EXPECT_EQ(isolation.Failed(0), 0);
  std::set<int> executed;
  while (!isolation.Done()) {
    const Slice slice = isolation.Next();
    for (int i = slice.first; i < slice.first + slice.count; i++) {
      executed.insert(i);
    }
    isolation.Succeeded(20 * slice.count, 3);
  }
  EXPECT_EQ(executed, (std::set<int>{1, 2, 3, 4, 5, 6, 7, 9}));
}

TEST(ItemIsolation, UnknownCulpritIsNarrowedDown) {
  ItemIsolation isolation;
  const Walked walked = Walk(isolation, 1000, {617}, false);
  EXPECT_EQ(walked.slices.front(), std::make_pair(0, 1000));
  // Everything else is executed once, but for two failures: of the batch and of one piece.
  int executed = 0;
  for (const auto& slice : walked.slices) {
    executed += slice.second;
  }
  EXPECT_LE(executed, 1000 + 1000 + 40);
  EXPECT_LE(walked.slices.size(), 160U);
}

// A process that has to wait for its turn measures that single items take thousands of times what
// they cost within a long slice.
TEST(ItemIsolation, UnknownCulpritsAreNarrowedDownByHalvesWhateverASavepointCosts) {
  for (const double slice_micros : {0.0, 300.0, 25'000.0, 1e7}) {
    ItemIsolation isolation;
    int executed = 0;
    for (int batch = 0; batch < 40; batch++) {
      const Walked walked =
          Walk(isolation, 500, EveryNth(500, 100), false, 20, slice_micros, slice_micros);
      for (const auto& slice : walked.slices) {
        executed += slice.second;
      }
    }
    // Five of 500 are bad: a failure costs what is left of the batch once and twice its half.
    EXPECT_LE(executed, 40 * 500 * 8) << slice_micros;
  }
}

TEST(ItemIsolation, CulpritOutsideOfTheSliceIsUnknown) {
  ItemIsolation isolation;
  isolation.BeginBatch(100);
  EXPECT_EQ(isolation.Failed(100), ItemIsolation::kNone);
  EXPECT_EQ(isolation.Failed(-7), ItemIsolation::kNone);
  EXPECT_LT(isolation.Next().count, 100);
}

TEST(ItemIsolation, SliceIsTheSameUntilItIsAnswered) {
  ItemIsolation isolation;
  isolation.BeginBatch(100);
  isolation.Failed(ItemIsolation::kUnknown);
  const Slice slice = isolation.Next();
  EXPECT_EQ(slice.count, isolation.Next().count);
  EXPECT_EQ(slice.first, isolation.Next().first);
}

TEST(ItemIsolation, ReactsToARegionAndRecovers) {
  for (const bool known : {true, false}) {
    ItemIsolation isolation;
    for (int i = 0; i < 1000; i++) {
      Walk(isolation, 500, i % 100 == 0 ? std::set<int>{7} : std::set<int>{}, known);
    }
    const int before = isolation.savepoint_distance();
    EXPECT_GT(before, 20);
    Walk(isolation, 500, EveryNth(500, 2), known);
    EXPECT_EQ(isolation.savepoint_distance(), 1) << "within a batch";
    EXPECT_NEAR(isolation.failure_rate(), 0.5, 0.1);
    Walk(isolation, 500, {}, known);
    EXPECT_GE(isolation.savepoint_distance(), 5) << "within a batch";
    for (int i = 0; i < 20; i++) {
      Walk(isolation, 500, {}, known);
    }
    EXPECT_GE(isolation.savepoint_distance(), 20);
  }
}

TEST(ItemIsolation, LearnsTheRate) {
  for (const int nth : {10, 100, 1000}) {
    ItemIsolation isolation;
    for (int i = 0; i < 20; i++) {
      Walk(isolation, 1000, EveryNth(1000, nth), true);
    }
    EXPECT_NEAR(isolation.failure_rate() * nth, 1, 0.4) << nth;
  }
}

TEST(ItemIsolation, DearItemsAreWorthASavepointEach) {
  ItemIsolation isolation;
  for (int i = 0; i < 5; i++) {
    Walk(isolation, 500, EveryNth(500, 100), true, 5000);
  }
  EXPECT_EQ(isolation.savepoint_distance(), 1);
}

TEST(ItemIsolation, WhatAStatementCostsByItselfIsSavedToo) {
  ItemIsolation cheap;
  ItemIsolation dear;
  for (int i = 0; i < 20; i++) {
    Walk(cheap, 500, EveryNth(500, 100), false, 20, 3, 0);
    Walk(dear, 500, EveryNth(500, 100), false, 20, 3, 60);
  }
  // sqrt((60 + 3) / 3) is 4.6.
  EXPECT_GE(dear.savepoint_distance(), 3 * cheap.savepoint_distance());
}

TEST(ItemIsolation, CheaperItemsAreNoticedInShortSlices) {
  ItemIsolation isolation;
  Walk(isolation, 500, EveryNth(500, 50), true, 200);
  const int before = isolation.savepoint_distance();
  Walk(isolation, 500, EveryNth(500, 50), true, 2);
  EXPECT_GE(isolation.savepoint_distance(), 4 * before);
}

TEST(ItemIsolation, OutliersDoNotMatter) {
  ItemIsolation isolation;
  for (int i = 0; i < 10; i++) {
    Walk(isolation, 500, EveryNth(500, 50), true);
  }
  isolation.BeginBatch(500);
  const int before = isolation.savepoint_distance();
  isolation.Succeeded(10'000'000, 3);  // waited for a lock
  isolation.Succeeded(0, -5);          // the clock was set back
  isolation.Succeeded(0, 1'000'000);
  EXPECT_NEAR(isolation.savepoint_distance(), before, before * 0.2 + 1);
}

// ---- Simulation: what isolation costs
// ------------------------------------------------------------

constexpr int kItems = 100'000;
constexpr int kBatch = 1000;
constexpr int kWritingSavepoints = 60;
constexpr double kItemMicros = 20;

enum class Answer {
  kCulprit,    // the engine knows the item
  kStatement,  // it does not; the statement stops at the bad item
  kDeferred,   // it does not, and hears of it at the end of the slice
};

std::vector<bool> Uniform(double rate) {
  std::mt19937_64 random(7);
  std::vector<bool> bad(kItems);
  for (int i = 0; i < kItems; i++) {
    bad[i] = static_cast<double>(random() >> 11) / 9007199254740992.0 < rate;
  }
  return bad;
}

// Regions of 50 bad items, evenly spread, or of 100 of which every second one is bad.
std::vector<bool> Clustered(double rate, bool dense) {
  const int in_region = 50;
  const int stride = dense || rate > 0.25 ? 1 : 2;
  const int regions = static_cast<int>(kItems * rate) / in_region;
  std::vector<bool> bad(kItems);
  for (int region = 0; region < regions; region++) {
    const auto start = static_cast<int>(static_cast<std::int64_t>(kItems) * region / regions);
    for (int i = 0; i < in_region; i++) {
      bad[std::min(start + i * stride, kItems - 1)] = true;
    }
  }
  return bad;
}

struct Cost {
  double micros = 0;
  int released = 0;
  int batches = 0;
};

Cost Simulate(const std::vector<bool>& bad, Answer answer, double savepoint) {
  Cost cost;
  ItemIsolation isolation;
  for (int at = 0; at < kItems; at += isolation.finished()) {
    isolation.BeginBatch(std::min(kBatch, kItems - at));
    cost.batches++;
    int released = 0;
    while (!isolation.Done() && !(released >= kWritingSavepoints && isolation.CanStop())) {
      const Slice slice = isolation.Next();
      const auto first = bad.begin() + at + slice.first;
      const auto found = std::find(first, first + slice.count, true);
      const int good = static_cast<int>(found - first);
      cost.micros += savepoint;
      if (good == slice.count) {
        cost.micros += kItemMicros * slice.count;
        isolation.Succeeded(static_cast<std::int64_t>(kItemMicros * slice.count),
                            static_cast<std::int64_t>(savepoint));
        released++;
        continue;
      }
      cost.micros += kItemMicros * (answer == Answer::kDeferred ? slice.count : good + 1);
      isolation.Failed(answer == Answer::kCulprit ? slice.first + good : ItemIsolation::kUnknown);
    }
    // A redo ends before the culprit: never more than the prefix beyond the limit.
    EXPECT_LE(released, kWritingSavepoints + 1);
    cost.released += released;
  }
  return cost;
}

// Of all items good, in one go: (a). A savepoint per item: (b).
double OneGo(double savepoint) { return kItems * kItemMicros + kItems / kBatch * savepoint; }
double PerItem(double savepoint) { return kItems * (kItemMicros + savepoint); }

constexpr double kRates[] = {0, 0.001, 0.01, 0.05, 0.5, 1};

struct Layout {
  const char* name;
  std::function<std::vector<bool>(double)> bad;
};

const std::vector<Layout>& Layouts() {
  static const std::vector<Layout> layouts = {
      {"uniform", Uniform},
      {"regions, all bad", [](double rate) { return Clustered(rate, true); }},
      {"regions, half bad", [](double rate) { return Clustered(rate, false); }}};
  return layouts;
}

void ExpectCosts(Answer answer, const double (&limits)[6], double of_per_item) {
  for (const double savepoint : {2.0, 3.0, 4.0}) {
    for (const Layout& layout : Layouts()) {
      for (int i = 0; i < 6; i++) {
        const Cost cost = Simulate(layout.bad(kRates[i]), answer, savepoint);
        EXPECT_LE(cost.micros, limits[i] * OneGo(savepoint))
            << layout.name << ", rate " << kRates[i] << ", savepoint " << savepoint;
        EXPECT_LE(cost.micros, of_per_item * PerItem(savepoint))
            << layout.name << ", rate " << kRates[i] << ", savepoint " << savepoint;
        if (savepoint == 3.0) {
          std::printf(
              "%-18s rate %.3f: %.3f of one go, %.3f of a savepoint per item; %6d released,"
              " %4d batches\n",
              layout.name, kRates[i], cost.micros / OneGo(savepoint),
              cost.micros / PerItem(savepoint), cost.released, cost.batches);
        }
      }
    }
  }
}

TEST(ItemIsolationCost, CulpritKnown) {
  ExpectCosts(Answer::kCulprit, {1.01, 1.03, 1.08, 1.15, 1.21, 1.21}, 1.01);
}

TEST(ItemIsolationCost, StatementStopsAtAnUnknownCulprit) {
  ExpectCosts(Answer::kStatement, {1.01, 1.04, 1.09, 1.21, 1.22, 1.21}, 1.03);
}

TEST(ItemIsolationCost, SliceFailsAtItsEnd) {
  ExpectCosts(Answer::kDeferred, {1.01, 1.06, 1.13, 1.25, 1.24, 1.22}, 1.05);
}

TEST(ItemIsolationCost, SavepointsAreSparedWhereItCostsNothing) {
  const Cost cost = Simulate(Uniform(0.05), Answer::kCulprit, 3);
  EXPECT_GE(kItems / cost.batches, 150) << "items per commit at 5 %";
  EXPECT_EQ(Simulate(Uniform(1), Answer::kCulprit, 3).batches, kItems / kBatch)
      << "what was rolled back does not count";
}

// ---- Any answers at all
// --------------------------------------------------------------------------

// Each item ends once, no slice touches one that has ended, and there is an end.
void AnswerAtRandom(std::mt19937& random, ItemIsolation& isolation, int items, int bad_percent,
                    int unknown_percent) {
  const auto percent = [&](int chance) { return static_cast<int>(random() % 100) < chance; };
  std::vector<int> ended(static_cast<std::size_t>(items), 0);
  isolation.BeginBatch(items);
  int answers = 0;
  while (!isolation.Done()) {
    ASSERT_LE(++answers, items * items + 2 * items);
    const Slice slice = isolation.Next();
    ASSERT_GE(slice.first, 0);
    ASSERT_GE(slice.count, 1);
    ASSERT_LE(slice.first + slice.count, items);
    ASSERT_EQ(slice.first, isolation.finished());
    for (int i = slice.first; i < slice.first + slice.count; i++) {
      ASSERT_EQ(ended[i], 0) << i;
    }
    if (!percent(bad_percent)) {
      isolation.Succeeded(static_cast<std::int64_t>(random() % 1000) - 10,
                          static_cast<std::int64_t>(random() % 10) - 1);
      for (int i = slice.first; i < slice.first + slice.count; i++) {
        ended[i]++;
      }
      continue;
    }
    const int culprit = percent(unknown_percent)
                            ? ItemIsolation::kUnknown
                            : slice.first + static_cast<int>(random() % slice.count);
    const int condemned = isolation.Failed(culprit);
    if (condemned != ItemIsolation::kNone) {
      ASSERT_GE(condemned, slice.first);
      ASSERT_LT(condemned, slice.first + slice.count);
      ended[condemned]++;
    }
    if (isolation.CanStop()) {
      EXPECT_EQ(std::count(ended.begin(), ended.end(), 1), isolation.finished());
    }
  }
  EXPECT_EQ(std::count(ended.begin(), ended.end(), 1), items);
  EXPECT_EQ(isolation.finished(), items);
  EXPECT_TRUE(isolation.CanStop());
}

TEST(ItemIsolationFuzz, EveryItemEndsOnce) {
  std::mt19937 random(42);
  for (int run = 0; run < 600; run++) {
    ItemIsolation isolation;
    const int bad = static_cast<int>(random() % 101);
    const int unknown = static_cast<int>(random() % 4) * 33;
    for (int batch = 0; batch < 4; batch++) {
      AnswerAtRandom(random, isolation, 1 + static_cast<int>(random() % 120), bad, unknown);
      if (testing::Test::HasFatalFailure()) {
        return;
      }
    }
  }
}

TEST(ItemIsolationFuzz, PrefixThatAlwaysFailsAtItsLastItem) {
  ItemIsolation isolation;
  isolation.BeginBatch(1000);
  int executed = 0;
  while (!isolation.Done()) {
    const Slice slice = isolation.Next();
    executed += slice.count;
    isolation.Failed(slice.first + slice.count - 1);
  }
  EXPECT_LE(executed, 10'000);
}

}  // namespace
}  // namespace ratchet::policy
