#include "policy/brake.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace ratchet::policy {
namespace {

// A batch as a text: a letter is an item that has failed in those words, a dot one that was done.
class Batch {
 public:
  explicit Batch(const std::string& items) : size_(static_cast<int>(items.size())) {
    for (const char c : items) {
      words_.emplace_back(1, c);
    }
    for (int i = 0; i < size_; i++) {
      if (items[static_cast<std::size_t>(i)] != '.') {
        failed_.push_back({i, &words_[static_cast<std::size_t>(i)]});
      }
    }
  }
  const std::vector<Brake::Failed>& failed() const { return failed_; }
  int size() const { return size_; }

 private:
  int size_;
  std::vector<std::string> words_;
  std::vector<Brake::Failed> failed_;
};

Brake::Look LookAt(const Brake& brake, const std::string& items) {
  const Batch batch(items);
  return brake.LookAt(batch.failed(), batch.size(), true);
}

// True when the run ends at it; else it is committed.
bool Stops(Brake& brake, const std::string& items) {
  const Batch batch(items);
  const Brake::Look look = brake.LookAt(batch.failed(), batch.size(), true);
  if (!look.stops) {
    brake.Committed(batch.failed(), batch.size(), look);
  }
  return look.stops;
}

std::string Times(int count, char c) { return std::string(static_cast<std::size_t>(count), c); }

TEST(Brake, AWholeBatchAlikeStops) {
  const Brake brake(50);
  for (const int items : {50, 51, 500, 5000}) {
    const Brake::Look look = LookAt(brake, Times(items, 'a'));
    EXPECT_TRUE(look.stops) << items;
    EXPECT_EQ(look.begin, 0) << items;
    EXPECT_EQ(look.length, items) << items;
    EXPECT_FALSE(look.joins_earlier) << items;
  }
}

TEST(Brake, FewItemsSayNothing) {
  const Brake brake(50);
  for (const int items : {0, 1, 2, 49}) {
    EXPECT_FALSE(LookAt(brake, Times(items, 'a')).stops) << items;
  }
}

TEST(Brake, ABatchInWhichOneIsDoneGoesOn) {
  const Brake brake(50);
  EXPECT_FALSE(LookAt(brake, Times(499, 'a') + ".").stops);
  EXPECT_FALSE(LookAt(brake, "." + Times(499, 'a')).stops);
  EXPECT_FALSE(LookAt(brake, Times(250, 'a') + "." + Times(249, 'a')).stops);
}

TEST(Brake, OtherWordsAreAnotherReason) {
  const Brake brake(50);
  EXPECT_FALSE(LookAt(brake, Times(250, 'a') + "b" + Times(249, 'a')).stops);
  std::string mixed;
  for (int i = 0; i < 500; i++) {
    mixed += i % 2 == 0 ? 'a' : 'b';
  }
  EXPECT_FALSE(LookAt(brake, mixed).stops);
}

TEST(Brake, SmallBatchesAddUp) {
  for (const int size : {1, 7, 10, 49}) {
    Brake brake(50);
    int items = 0;
    while (!Stops(brake, Times(size, 'a'))) {
      items += size;
      ASSERT_LT(items, 50) << size;
    }
    EXPECT_GE(items + size, 50) << size;
    EXPECT_EQ(brake.earlier(), items) << size;
  }
}

TEST(Brake, OneThatIsDoneInBetweenBeginsAnew) {
  Brake brake(50);
  for (int i = 0; i < 1000; i++) {
    EXPECT_FALSE(Stops(brake, i % 49 == 48 ? "." : "a")) << i;
  }
  EXPECT_FALSE(Stops(brake, "b"));
  EXPECT_EQ(brake.earlier(), 1);
}

TEST(Brake, ABatchWithoutItemsChangesNothing) {
  Brake brake(50);
  EXPECT_FALSE(Stops(brake, Times(49, 'a')));
  EXPECT_FALSE(Stops(brake, ""));
  EXPECT_TRUE(Stops(brake, "a"));
}

TEST(Brake, TheEndOfTheBatchBeforeCounts) {
  Brake brake(50);
  EXPECT_FALSE(Stops(brake, ".." + Times(40, 'a')));
  EXPECT_EQ(brake.earlier(), 40);
  const Brake::Look look = LookAt(brake, Times(20, 'a'));
  EXPECT_TRUE(look.stops);
  EXPECT_TRUE(look.joins_earlier);
  EXPECT_EQ(look.length, 60);
  EXPECT_FALSE(LookAt(brake, Times(20, 'b')).stops) << "in other words";
  EXPECT_FALSE(LookAt(brake, Times(20, 'a') + ".").stops);
}

TEST(Brake, AVeryLongRowStopsWithinABatch) {
  const Brake brake(50);
  const std::string items = Times(100, '.') + Times(Brake::kSure, 'a');
  const Brake::Look look = LookAt(brake, items);
  EXPECT_TRUE(look.stops);
  EXPECT_EQ(look.begin, 100);
  EXPECT_FALSE(LookAt(brake, Times(100, '.') + Times(Brake::kSure - 1, 'a')).stops);
}

TEST(Brake, TheLimitCanBeRaisedOrTakenAway) {
  EXPECT_FALSE(LookAt(Brake(0), Times(5000, 'a')).stops);
  EXPECT_FALSE(LookAt(Brake(2000), Times(1999, 'a')).stops);
  EXPECT_TRUE(LookAt(Brake(2000), Times(2000, 'a')).stops);
  EXPECT_TRUE(LookAt(Brake(1), "a").stops);
}

TEST(Brake, WhatLiesAheadOfWhatIsHandledIsNotLookedAt) {
  const Brake brake(50);
  const Batch batch(Times(60, 'a') + "bb");
  EXPECT_TRUE(brake.LookAt(batch.failed(), 60, true).stops);
  EXPECT_EQ(brake.LookAt(batch.failed(), 60, false).begin, 0);
  EXPECT_FALSE(brake.LookAt(batch.failed(), 60, false).stops);
}

// Against the plain definition: the failures at the end of all that was handled, in the same words.
TEST(Brake, CountsAsOneWouldByHand) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; round++) {
    Brake brake(50);
    std::string all;
    for (int batch = 0; batch < 60; batch++) {
      std::string items;
      const int size = std::uniform_int_distribution<int>(0, 20)(random);
      for (int i = 0; i < size; i++) {
        const int dice = std::uniform_int_distribution<int>(0, 99)(random);
        items += dice == 0 ? '.' : dice == 1 ? 'b' : 'a';
      }
      all += items;
      const std::size_t last_other =
          all.empty() ? std::string::npos : all.find_last_not_of(all.back());
      const std::size_t row = all.empty() || all.back() == '.' ? 0 : all.size() - (last_other + 1);
      const bool whole = !items.empty() && row >= items.size();
      const Brake::Look look = LookAt(brake, items);
      if (!items.empty()) {
        ASSERT_EQ(look.length, static_cast<std::int64_t>(row)) << all;
      }
      ASSERT_EQ(look.stops, whole && row >= 50) << all;
      if (Stops(brake, items)) {
        break;
      }
    }
  }
}

}  // namespace
}  // namespace ratchet::policy
