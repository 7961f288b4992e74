#include "policy/batch_size.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kTarget = 50'000;

// Batches of items that cost this much, and their commit.
void Walk(BatchSize& size, int batches, double item_micros, double batch_micros = 0) {
  for (int i = 0; i < batches; i++) {
    size.Took(size.size(), static_cast<std::int64_t>(size.size() * item_micros + batch_micros));
  }
}

TEST(BatchSize, FixedStaysAsItIs) {
  BatchSize size(500, 0);
  Walk(size, 10, 20);
  Walk(size, 10, 20'000);
  EXPECT_EQ(size.size(), 500);
}

TEST(BatchSize, WhatDoesNotFitIsNotTriedAgain) {
  BatchSize size(500, 0);
  size.Bound(250);
  Walk(size, 20, 20);
  EXPECT_EQ(size.size(), 250);
  size.Bound(1000);
  EXPECT_EQ(size.size(), 250) << "a bound is not taken back";
  size.Shrink();
  EXPECT_EQ(size.size(), 125);
  Walk(size, 20, 20);
  EXPECT_EQ(size.size(), 250);
  size.Bound(0);
  EXPECT_EQ(size.size(), 1);
  BatchSize adapts(500, kTarget);
  adapts.Bound(100);
  Walk(adapts, 20, 20);
  EXPECT_EQ(adapts.size(), 100);
  Walk(adapts, 4, 5000);
  EXPECT_LE(adapts.size(), 25) << "from the bound it goes down at once, when things get slower";
}

TEST(BatchSize, FindsTheTargetWithinAFewBatches) {
  BatchSize up(500, kTarget);
  Walk(up, 3, 20);
  EXPECT_EQ(up.size(), 2500);
  BatchSize down(500, kTarget);
  Walk(down, 3, 1000);
  Walk(down, 1, 1000);
  EXPECT_EQ(down.size(), 50);
}

TEST(BatchSize, WhatABatchCostsByItselfIsPartOfIt) {
  BatchSize size(100, kTarget);
  Walk(size, 12, 20, 2000);
  EXPECT_NEAR(size.size() * 20 + 2000, kTarget, kTarget * 0.35);
}

TEST(BatchSize, AtMostDoublesOrHalves) {
  std::mt19937 random(1);
  std::uniform_int_distribution<std::int64_t> micros(1, 10'000'000);
  BatchSize size(500, kTarget);
  for (int i = 0; i < 10'000; i++) {
    const int before = size.size();
    size.Took(before, micros(random));
    EXPECT_LE(size.size(), before * 2);
    EXPECT_GE(size.size() * 2, before);
    EXPECT_GE(size.size(), 1);
  }
}

TEST(BatchSize, HasLimits) {
  EXPECT_EQ(BatchSize(0, 0).size(), 1);
  EXPECT_EQ(BatchSize(1'000'000, 0).size(), BatchSize::kMax);
  BatchSize size(500, kTarget);
  Walk(size, 20, 0);
  EXPECT_EQ(size.size(), BatchSize::kMax);
  Walk(size, 40, 1e9);
  EXPECT_EQ(size.size(), 1);
}

TEST(BatchSize, FollowsAChange) {
  BatchSize size(500, kTarget);
  Walk(size, 20, 20);
  ASSERT_EQ(size.size(), 2500);
  Walk(size, 5, 200);
  EXPECT_NEAR(size.size(), 250, 50);
  Walk(size, 6, 20);
  EXPECT_NEAR(size.size(), 2500, 500);
}

TEST(BatchSize, OneSlowBatchIsNoChange) {
  BatchSize size(500, kTarget);
  Walk(size, 20, 20);
  size.Took(size.size(), 5'000'000);
  EXPECT_EQ(size.size(), 2500);
  Walk(size, 10, 20);
  EXPECT_EQ(size.size(), 2500);
}

TEST(BatchSize, IgnoresBatchesThatWereNotFull) {
  BatchSize size(500, kTarget);
  for (int i = 0; i < 10; i++) {
    size.Took(499, 1);
    size.Took(0, 1'000'000);
  }
  EXPECT_EQ(size.size(), 500);
}

TEST(BatchSize, NoiseDoesNotMoveIt) {
  for (unsigned seed = 1; seed <= 20; seed++) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> noise(0.5, 1.5);
    BatchSize size(500, kTarget);
    int changes = 0;
    for (int i = 0; i < 1000; i++) {
      const int before = size.size();
      size.Took(before, static_cast<std::int64_t>(before * 20 * noise(random)));
      if (i < 20) {
        continue;
      }
      changes += size.size() == before ? 0 : 1;
      EXPECT_GE(size.size(), 2500 / 1.6) << "seed " << seed;
      EXPECT_LE(size.size(), 2500 * 1.8) << "seed " << seed;
    }
    EXPECT_LE(changes, 10) << "seed " << seed;
  }
}

TEST(BatchSize, ShrinksAndGrowsBack) {
  BatchSize fixed(500, 0);
  fixed.Shrink();
  EXPECT_EQ(fixed.size(), 250);
  fixed.Shrink();
  EXPECT_EQ(fixed.size(), 125);
  fixed.Took(100, 1);
  EXPECT_EQ(fixed.size(), 125) << "not full";
  std::vector<int> sizes;
  for (int i = 0; i < 8; i++) {
    fixed.Took(fixed.size(), 1000);
    sizes.push_back(fixed.size());
  }
  EXPECT_TRUE(std::is_sorted(sizes.begin(), sizes.end()));
  EXPECT_LT(sizes[0], 250) << "not back at once to where the deadlock was";
  EXPECT_EQ(sizes.back(), 500);
}

TEST(BatchSize, ShrinksToOneAndGrowsBack) {
  BatchSize size(500, kTarget);
  Walk(size, 10, 20);
  for (int i = 0; i < 40; i++) {
    size.Shrink();
  }
  EXPECT_EQ(size.size(), 1);
  Walk(size, 40, 20, 1000);
  EXPECT_EQ(size.size(), 2500);
}

}  // namespace
}  // namespace ratchet::policy
