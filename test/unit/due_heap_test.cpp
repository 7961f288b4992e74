#include "scheduler/due_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace ratchet::scheduler {
namespace {

class DueHeapTest : public ::testing::Test {
 protected:
  void Set(std::uint32_t job, std::int64_t due) {
    if (job >= places_.size()) {
      places_.resize(job + 1, DueHeap::kAbsent);
    }
    heap_.Set(place_, job, due);
  }
  void Remove(std::uint32_t job) { heap_.Remove(place_, job); }

  std::vector<std::int32_t> places_;
  DueHeap heap_;
  struct Place {
    std::vector<std::int32_t>* places;
    std::int32_t& operator()(std::uint32_t job) { return (*places)[job]; }
  } place_{&places_};
};

TEST_F(DueHeapTest, GivesTheSoonestFirst) {
  Set(0, 30);
  Set(1, 10);
  Set(2, 20);
  EXPECT_EQ(heap_.top().job, 1U);
  Set(1, 40);
  EXPECT_EQ(heap_.top().job, 2U);
  Remove(2);
  EXPECT_EQ(heap_.top().job, 0U);
  Remove(0);
  Remove(0);
  Remove(1);
  EXPECT_TRUE(heap_.empty());
}

TEST_F(DueHeapTest, AgreesWithAModelUnderRandomChanges) {
  std::mt19937 random(7);
  std::vector<std::int64_t> model(200, -1);
  places_.assign(model.size(), DueHeap::kAbsent);
  for (int step = 0; step < 100'000; step++) {
    const std::uint32_t job = random() % model.size();
    if (random() % 3 == 0) {
      Remove(job);
      model[job] = -1;
    } else {
      const std::int64_t due = random() % 1000;
      Set(job, due);
      model[job] = due;
    }
    std::int64_t soonest = INT64_MAX;
    for (const std::int64_t due : model) {
      soonest = due >= 0 ? std::min(soonest, due) : soonest;
    }
    ASSERT_EQ(heap_.empty() ? INT64_MAX : heap_.top().due, soonest);
    if (!heap_.empty()) {
      ASSERT_EQ(model[heap_.top().job], soonest);
    }
  }
}

}  // namespace
}  // namespace ratchet::scheduler
