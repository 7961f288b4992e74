#include "policy/batch_retry.h"

#include <gtest/gtest.h>

namespace ratchet::policy {
namespace {

TEST(BatchRetry, WaitsLongerEachTimeUpToALimit) {
  BatchRetry retry(1);
  std::int64_t expected = BatchRetry::kFirstWait;
  for (int i = 0; i < 40; i++) {
    const std::int64_t wait = retry.NextWait();
    EXPECT_LE(wait, expected);
    EXPECT_GE(wait, expected / 2);
    expected = std::min(expected * 2, BatchRetry::kLongestWait);
  }
}

TEST(BatchRetry, GivesUpAfterSoLongWithoutProgress) {
  BatchRetry retry(1);
  constexpr std::int64_t kStart = 1'000'000'000'000;
  EXPECT_TRUE(retry.MayTryAgain(kStart));
  (void)retry.NextWait();
  EXPECT_TRUE(retry.MayTryAgain(kStart + BatchRetry::kLongest));
  (void)retry.NextWait();
  EXPECT_FALSE(retry.MayTryAgain(kStart + BatchRetry::kLongest + 1));
}

TEST(BatchRetry, ProgressBeginsAnew) {
  BatchRetry retry(1);
  EXPECT_TRUE(retry.MayTryAgain(0));
  for (int i = 0; i < 20; i++) {
    (void)retry.NextWait();
  }
  retry.Progressed();
  EXPECT_TRUE(retry.MayTryAgain(BatchRetry::kLongest * 5));
  EXPECT_LE(retry.NextWait(), BatchRetry::kFirstWait);
}

TEST(BatchRetry, WhoCollidesOnceDoesNotMeetAgain) {
  BatchRetry one(1);
  BatchRetry other(2);
  int same = 0;
  for (int i = 0; i < 20; i++) {
    same += one.NextWait() == other.NextWait() ? 1 : 0;
  }
  EXPECT_LT(same, 3);
}

}  // namespace
}  // namespace ratchet::policy
