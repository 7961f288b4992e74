#include <limits>

#include <gtest/gtest.h>

#include "policy/numbers.h"

namespace ratchet::policy {
namespace {

constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

TEST(Numbers, FollowEachOther) {
  EXPECT_TRUE(IsNextNumber(1, 0));
  EXPECT_TRUE(IsNextNumber(33, 1));         // a crash leaves some out
  EXPECT_TRUE(IsNextNumber(1'000'001, 1));  // and so does a promotion
  EXPECT_FALSE(IsNextNumber(1, 1));
  EXPECT_FALSE(IsNextNumber(-5, 0));
  EXPECT_FALSE(IsNextNumber(5, 1'000'000));
}

TEST(Numbers, AreNotUsedUpByOneThatIsSet) {
  EXPECT_TRUE(IsNextNumber(kLargestGap, 0));
  EXPECT_FALSE(IsNextNumber(kLargestGap + 1, 0));
  EXPECT_FALSE(IsNextNumber(kLast, 0));
  EXPECT_FALSE(IsNextNumber(kLast, kGreatestNumber));
}

TEST(Numbers, AreLeftBehindTheGreatestThatCounts) {
  EXPECT_TRUE(IsNextNumber(kGreatestNumber + 1, kGreatestNumber));
  EXPECT_GT((kLast - kGreatestNumber) / kLargestGap, 1'000'000);
}

}  // namespace
}  // namespace ratchet::policy
