#include "policy/mutex_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace ratchet::policy {
namespace {

constexpr MutexTable::Role kAlice = 10;
constexpr MutexTable::Role kBob = 20;

Turn TurnOf(std::int64_t id, std::int64_t due, std::int32_t priority = 0, bool failing = false) {
  return {failing, priority, due, id, 0};
}

bool Any(MutexTable::Role /*role*/) { return true; }

TEST(MutexTable, NoNameIsNoMutex) {
  MutexTable table;
  EXPECT_EQ(table.Find(""), 0U);
  EXPECT_TRUE(table.IsFree(0));
  EXPECT_NE(table.Find("m"), table.Find("M"));
  EXPECT_EQ(table.Find("m"), table.Find("m"));
}

TEST(MutexTable, OnlyTheHolderReleases) {
  MutexTable table;
  const std::uint32_t m = table.Find("m");
  table.Hold(m, 7);
  table.Release(m, 8);
  EXPECT_FALSE(table.IsFree(m));
  table.Wait(m, {kAlice, TurnOf(1, 1)});
  EXPECT_TRUE(table.open().empty());
  table.Release(m, 7);
  EXPECT_TRUE(table.open().contains(m));
  table.Leave(m, {kAlice, TurnOf(1, 1)});
  EXPECT_TRUE(table.open().empty());
}

TEST(MutexTable, InOrderAcrossRolesThatHaveRoom) {
  MutexTable table;
  const std::uint32_t m = table.Find("m");
  table.Wait(m, {kAlice, TurnOf(1, 30)});
  table.Wait(m, {kBob, TurnOf(2, 10)});
  table.Wait(m, {kAlice, TurnOf(3, 5, 1)});
  table.Wait(m, {kBob, TurnOf(4, 1, 0, true)});
  const auto no_bob = [](MutexTable::Role role) { return role != kBob; };
  EXPECT_EQ(table.TakeNext(m, no_bob)->turn.id, 1);
  EXPECT_EQ(table.TakeNext(m, Any)->turn.id, 2);
  EXPECT_EQ(table.TakeNext(m, Any)->turn.id, 3);
  EXPECT_FALSE(table.TakeNext(m, no_bob).has_value());
  EXPECT_EQ(table.TakeNext(m, Any)->turn.id, 4);
  EXPECT_FALSE(table.TakeNext(m, Any).has_value());
}

TEST(MutexTable, NobodyIsPassedOverForEver) {
  MutexTable table;
  const std::uint32_t m = table.Find("m");
  table.Wait(m, {kBob, TurnOf(1, 0, 100, true)});
  for (std::uint64_t i = 0; i < MutexTable::kMostPassed; i++) {
    table.Wait(m, {kAlice, TurnOf(2, static_cast<std::int64_t>(i))});
    EXPECT_EQ(table.TakeNext(m, Any)->turn.id, 2);
  }
  table.Wait(m, {kAlice, TurnOf(2, 1000)});
  EXPECT_EQ(table.TakeNext(m, Any)->turn.id, 1);
}

// Against a list that is looked through.
TEST(MutexTable, AgreesWithAList) {
  std::mt19937 random(4);
  MutexTable table;
  const std::uint32_t m = table.Find("m");
  std::vector<MutexTable::Waiter> list;
  for (int step = 0; step < 20'000; step++) {
    const MutexTable::Waiter waiter{random() % 2 == 0 ? kAlice : kBob,
                                    TurnOf(random() % 50, random() % 5, random() % 3)};
    const auto same = [&](const MutexTable::Waiter& other) {
      return other.role == waiter.role && other.turn == waiter.turn;
    };
    const auto there = std::find_if(list.begin(), list.end(), same);
    switch (random() % 3) {
      case 0:
        table.Wait(m, waiter);
        if (there == list.end()) {
          list.push_back(waiter);
        }
        break;
      case 1:
        table.Leave(m, waiter);
        if (there != list.end()) {
          list.erase(there);
        }
        break;
      default: {
        const auto taken = table.TakeNext(m, Any);
        ASSERT_EQ(taken.has_value(), !list.empty());
        if (taken) {
          const auto at = std::find_if(list.begin(), list.end(), [&](const auto& other) {
            return other.role == taken->role && other.turn == taken->turn;
          });
          ASSERT_NE(at, list.end());
          list.erase(at);
        }
      }
    }
    ASSERT_EQ(table.AnybodyWaits(m), !list.empty());
    ASSERT_EQ(table.open().contains(m), !list.empty());
  }
}

}  // namespace
}  // namespace ratchet::policy
