#include "policy/span_words.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kMillisecond = 1'000;
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

TEST(SpanWords, OfTheUnitThatPeopleWouldUse) {
  EXPECT_EQ(SpanWords(0), "0ms");
  EXPECT_EQ(SpanWords(99), "0ms");
  EXPECT_EQ(SpanWords(250), "0.2ms");
  EXPECT_EQ(SpanWords(2'500), "2.5ms");
  EXPECT_EQ(SpanWords(3'000), "3ms");
  EXPECT_EQ(SpanWords(250 * kMillisecond), "250ms");
  EXPECT_EQ(SpanWords(1'250 * kMillisecond), "1.2s");
  EXPECT_EQ(SpanWords(30 * kSecond), "30s");
  EXPECT_EQ(SpanWords(99 * kSecond), "99s");
  EXPECT_EQ(SpanWords(100 * kSecond), "1m");
  EXPECT_EQ(SpanWords(7 * kDay / 24), "7h");
  EXPECT_EQ(SpanWords(2 * kDay), "2d");
  EXPECT_EQ(SpanWords(3'000 * kDay), "8y");
}

TEST(SpanWords, NothingIsSaidToHaveLastedLongerThanItHas) {
  EXPECT_EQ(SpanWords(kSecond - 1), "999ms");
  EXPECT_EQ(SpanWords(10 * kSecond - 1), "9.9s");
  EXPECT_EQ(SpanWords(100 * kSecond - 1), "99s");
  EXPECT_EQ(SpanWords(2 * kDay - 1), "47h");
}

TEST(SpanWords, WhatIsOverdueIsLessThanZero) {
  EXPECT_EQ(SpanWords(-90 * kSecond), "-90s");
  EXPECT_EQ(SpanWords(-5), "-0ms");
}

TEST(SpanWords, FewLettersForEachSpan) {
  for (std::int64_t span = 1; span < INT64_MAX / 3; span += span / 7 + 1) {
    if (span < 1000 * 365 * kDay) {
      EXPECT_LE(SpanWords(span).size(), 5U) << span;
    }
  }
  EXPECT_EQ(SpanWords(INT64_MAX), "292271y");
  EXPECT_EQ(SpanWords(INT64_MIN), "-292271y");
}

}  // namespace
}  // namespace ratchet::policy
