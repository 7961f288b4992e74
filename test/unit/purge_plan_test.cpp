#include "scheduler/purge_plan.h"

#include <gtest/gtest.h>

namespace ratchet::scheduler {
namespace {

TEST(PurgePlanTest, GivesTheSoonestFirst) {
  PurgePlan plan;
  EXPECT_EQ(plan.NextTime(), calendar::kNever);
  plan.Put(1, 30);
  plan.Put(2, 10);
  plan.Put(3, 10);
  EXPECT_EQ(plan.NextTime(), 10);
  EXPECT_EQ(plan.Take(), 2);
  EXPECT_FALSE(plan.Has(2));
  EXPECT_EQ(plan.Take(), 3);
  EXPECT_EQ(plan.NextTime(), 30);
}

TEST(PurgePlanTest, AJobIsPlannedOnce) {
  PurgePlan plan;
  plan.Put(1, 30);
  plan.Put(1, 50);
  EXPECT_EQ(plan.NextTime(), 50);
  plan.Put(1, 20);
  EXPECT_EQ(plan.NextTime(), 20);
  EXPECT_EQ(plan.Take(), 1);
  EXPECT_EQ(plan.NextTime(), calendar::kNever);
  plan.Put(1, 5);
  plan.Clear();
  EXPECT_FALSE(plan.Has(1));
  EXPECT_EQ(plan.NextTime(), calendar::kNever);
}

}  // namespace
}  // namespace ratchet::scheduler
