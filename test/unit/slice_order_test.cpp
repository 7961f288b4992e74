#include "policy/slice_order.h"

#include <gtest/gtest.h>

#include <limits>

namespace ratchet::policy {
namespace {

constexpr double kSlice = 512;

// An index whose order has nothing to do with that of the rows, over 300 000 of them, and reading
// all of them in a row: what the planner says of either.
constexpr WayCost kIndex{0.4, 13'721, 167};
constexpr double kSort = 4'699;

TEST(SliceOrder, AnIndexIsTakenThoughThePlannerExpectsFewRows) {
  EXPECT_LT(kSort, CostOfSlice(kIndex, kSlice, kIndex.rows));
  EXPECT_TRUE(PrefersOrder(kIndex, kSort, kSlice, {}));
}

TEST(SliceOrder, WhenManyRowsAreExpectedThePlannerIsRight) {
  const WayCost many{0.4, 20'000, 100 * kSlice};
  EXPECT_TRUE(PrefersOrder(many, 201, kSlice, {}));
  EXPECT_FALSE(PrefersOrder(many, 199, kSlice, {}));
}

TEST(SliceOrder, FewRowsThatAreFoundOtherwiseAreSorted) {
  // 300 of 3 000 000 rows, which another index finds.
  EXPECT_FALSE(PrefersOrder({0.4, 172'000, 300}, 1'200, kSlice, {}));
}

TEST(SliceOrder, SlicesThatWereExpectedToBeTheLastEndIt) {
  const WayCost ordered{0.4, 172'000, 300};
  double full = 1;
  while (!PrefersOrder(ordered, 1'200, kSlice, {full, 1'200})) {
    full++;
  }
  // By then sorting has cost as much as the whole walk in order.
  EXPECT_NEAR(full * 1'200, 172'000 / 2.0, 1'200);
}

TEST(SliceOrder, WhatSortingReallyTakesCounts) {
  const WayCost ordered{0.4, 172'000, 300};
  EXPECT_FALSE(PrefersOrder(ordered, 1'200, kSlice, {2, 31'000}));
  EXPECT_TRUE(PrefersOrder(ordered, 1'200, kSlice, {3, 31'000}));
}

TEST(SliceOrder, WhatHasToBeDoneBeforeTheFirstRowIsDoneForEachSlice) {
  const WayCost hashes{10'000, 10'500, 1e6};
  EXPECT_FALSE(PrefersOrder(hashes, 9'000, kSlice, {1'000, 0}));
}

TEST(SliceOrder, ASortThatIsInfinitelyDearIsNeverTaken) {
  EXPECT_TRUE(PrefersOrder({0, 1e10, 1}, 1, kSlice, {0, std::numeric_limits<double>::infinity()}));
}

TEST(SliceOrder, RowsAreNeverFewerThanNone) {
  EXPECT_DOUBLE_EQ(CostOfSlice({1, 11, 0}, kSlice, 0), 11);
  EXPECT_DOUBLE_EQ(CostOfSlice({1, 11, 1024}, kSlice, 1024), 6);
}

}  // namespace
}  // namespace ratchet::policy
