#include "policy/turn_line.h"

#include <gtest/gtest.h>

namespace ratchet::policy {
namespace {

Turn Of(std::int64_t id, bool failing = false, std::int32_t priority = 0, std::int64_t due = 0) {
  return {failing, priority, due, id, 0};
}

TEST(TurnLineTest, GoesByFailurePriorityAndTime) {
  TurnLine line;
  line.Insert(Of(1, true, -5, 1));
  line.Insert(Of(2, false, 0, 20));
  line.Insert(Of(3, false, 0, 10));
  line.Insert(Of(4, false, -1, 30));
  for (const std::int64_t id : {4, 3, 2, 1}) {
    EXPECT_EQ(line.Take().id, id);
  }
  EXPECT_TRUE(line.empty());
}

TEST(TurnLineTest, WhatFailedHasATurnNowAndThen) {
  TurnLine line;
  line.Insert(Of(1000, true, 7, 5));
  line.Insert(Of(1001, true, 8, 5));
  int others = 0;
  for (int i = 0; i < 3 * TurnLine::kMostPassed; i++) {
    line.Insert(Of(i));
    const Turn turn = line.Take();
    if (turn.failing) {
      EXPECT_EQ(others, TurnLine::kMostPassed);
      EXPECT_EQ(turn.id, i < 2 * TurnLine::kMostPassed ? 1000 : 1001);
      others = 0;
    } else {
      others++;
    }
  }
  EXPECT_LT(others, TurnLine::kMostPassed);
}

TEST(TurnLineTest, CountsAnewWhenNothingWaitsThatFailed) {
  TurnLine line;
  for (int i = 0; i < TurnLine::kMostPassed; i++) {
    line.Insert(Of(i));
  }
  while (!line.empty()) {
    line.Take();  // nobody is passed over
  }
  line.Insert(Of(1000, true));
  line.Insert(Of(1));
  EXPECT_EQ(line.Take().id, 1);
  EXPECT_EQ(line.Take().id, 1000);
}

TEST(TurnLineTest, AWithdrawnTurnIsNotTaken) {
  TurnLine line;
  line.Insert(Of(1));
  line.Insert(Of(2));
  line.Erase(Of(1));
  line.Erase(Of(3));
  EXPECT_EQ(line.Take().id, 2);
  EXPECT_TRUE(line.empty());
}

}  // namespace
}  // namespace ratchet::policy
