#include "scheduler/job_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

namespace ratchet::scheduler {
namespace {

TEST(JobIndex, AgreesWithAMapUnderRandomChanges) {
  std::mt19937_64 random(11);
  std::vector<std::int64_t> ids(400);
  std::unordered_map<std::int64_t, std::uint32_t> model;
  const auto key = [&ids](std::uint32_t place) { return ids[place]; };
  JobIndex index;
  std::vector<std::uint32_t> unused;
  for (std::uint32_t i = 0; i < ids.size(); i++) {
    unused.push_back(i);
  }
  for (int step = 0; step < 200'000; step++) {
    const auto id = static_cast<std::int64_t>(random() % 500) - 20;
    const auto found = model.find(id);
    ASSERT_EQ(index.Find(id, key), found == model.end() ? JobIndex::kNone : found->second);
    if (found != model.end() && random() % 2 == 0) {
      index.Erase(id, key);
      unused.push_back(found->second);
      model.erase(found);
    } else if (found == model.end() && !unused.empty()) {
      ids[unused.back()] = id;
      index.Insert(unused.back(), key);
      model[id] = unused.back();
      unused.pop_back();
    }
    ASSERT_EQ(index.size(), model.size());
  }
}

}  // namespace
}  // namespace ratchet::scheduler
