#include "policy/job_day.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;

TEST(JobDay, CountsTheLastDay) {
  JobDay day;
  const std::int64_t now = 1000 * kHour + 5;
  for (int i = 0; i < 30; i++) {
    day.Add(now - i * kHour, i % 3 == 0, 1000, 10);
  }
  const JobDay::Summary summary = day.Summarize(now);
  EXPECT_EQ(summary.runs, 24);
  EXPECT_EQ(summary.failures, 8);
  EXPECT_EQ(summary.average_duration, 1000);
  EXPECT_EQ(summary.max_lag, 10);
  EXPECT_EQ(day.Summarize(now + 100 * kHour).runs, 0);
}

TEST(JobDay, PercentileIsWithinTenPercent) {
  JobDay day;
  for (int i = 1; i <= 1000; i++) {
    day.Add(kHour, false, i * 1000, 0);
  }
  const double p95 = static_cast<double>(day.Summarize(kHour).p95_duration);
  EXPECT_NEAR(p95, 950'000, 95'000);
}

TEST(JobDay, MedianIsWhatRunsUsuallyTake) {
  JobDay day;
  for (int i = 0; i < 99; i++) {
    day.Add(kHour, false, 20'000, 0);
  }
  day.Add(kHour, false, 3'600'000'000, 0);
  EXPECT_NEAR(static_cast<double>(day.Summarize(kHour).median_duration), 20'000, 2'000);
}

TEST(JobDay, TellsThatRunsHaveBecomeSlower) {
  const std::int64_t now = 1000 * kHour + kHour / 2;
  const auto day_of = [now](std::int64_t earlier, std::int64_t recently) {
    JobDay day;
    for (int hour = 0; hour < 20; hour++) {
      for (int i = 0; i < 5; i++) {
        day.Add(now - hour * kHour, false, hour < 2 ? recently : earlier, 0);
      }
    }
    return day;
  };
  const JobDay::Summary slower = day_of(20'000, 2'000'000).Summarize(now);
  EXPECT_EQ(slower.slower_duration, 2'000'000);
  EXPECT_EQ(slower.earlier_duration, 20'000);
  EXPECT_EQ(day_of(20'000, 20'000).Summarize(now).slower_duration, 0);
  EXPECT_EQ(day_of(200'000, 20'000).Summarize(now).slower_duration, 0) << "faster";
  EXPECT_EQ(day_of(1'000, 50'000).Summarize(now).slower_duration, 0) << "too little to matter";
  EXPECT_EQ(day_of(1'000'000, 1'900'000).Summarize(now).slower_duration, 0) << "less than twice";
  EXPECT_EQ(day_of(20'000, 2'000'000).Summarize(now + 5 * kHour).slower_duration, 0)
      << "nothing has run lately";
}

TEST(JobDay, OneRunIsItsOwnPercentile) {
  JobDay day;
  day.Add(kHour, false, 639'123, 0);
  EXPECT_EQ(day.Summarize(kHour).p95_duration, 639'123);
  EXPECT_EQ(JobDay::Decode(day.Encode()).Summarize(kHour).p95_duration, 639'123);
}

TEST(JobDay, ExtremeDurationsAreNoTrouble) {
  JobDay day;
  day.Add(kHour, false, 0, 0);
  day.Add(kHour, false, INT64_MAX / 4, 0);
  day.Add(-5 * kHour, false, 1, 0);
  EXPECT_EQ(day.Summarize(kHour).runs, 2) << "the clock is never before 2000";
}

TEST(JobDay, GoesOnWhenTheClockWasAhead) {
  const std::int64_t now = 1000 * kHour;
  JobDay day;
  for (int i = 0; i < 30; i++) {
    day.Add(now + (87'600 + i) * kHour, true, 1000, 10);
  }
  EXPECT_EQ(day.Summarize(now).runs, 0);
  day.Add(now, false, 2000, 10);
  EXPECT_EQ(day.Summarize(now).runs, 1);
  EXPECT_EQ(day.Summarize(now).average_duration, 2000);
}

TEST(JobDay, MergeIsAddition) {
  JobDay a;
  JobDay b;
  JobDay both;
  for (int i = 0; i < 100; i++) {
    (i % 2 == 0 ? a : b).Add(50 * kHour + i * kHour / 4, i % 5 == 0, i * 777, i);
    both.Add(50 * kHour + i * kHour / 4, i % 5 == 0, i * 777, i);
  }
  a.Merge(b);
  const auto left = a.Summarize(75 * kHour);
  const auto right = both.Summarize(75 * kHour);
  EXPECT_EQ(left.runs, right.runs);
  EXPECT_EQ(left.failures, right.failures);
  EXPECT_EQ(left.average_duration, right.average_duration);
  EXPECT_EQ(left.p95_duration, right.p95_duration);
}

TEST(JobDay, SurvivesStorage) {
  JobDay day;
  for (int i = 0; i < 500; i++) {
    day.Add(i * kHour / 5, i % 7 == 0, (std::int64_t{1} << (i % 50)) + i, i * 1000);
  }
  const JobDay read = JobDay::Decode(day.Encode());
  for (int hour = 70; hour < 130; hour++) {
    const auto left = day.Summarize(hour * kHour);
    const auto right = read.Summarize(hour * kHour);
    EXPECT_EQ(left.runs, right.runs);
    EXPECT_EQ(left.failures, right.failures);
    EXPECT_EQ(left.p95_duration, right.p95_duration);
    EXPECT_EQ(left.max_lag, right.max_lag);
  }
  EXPECT_EQ(JobDay::Decode("nonsense").Summarize(kHour).runs, 0);
  EXPECT_EQ(JobDay::Decode("").Summarize(kHour).runs, 0);
  const std::string bytes = day.Encode();
  for (std::size_t length = 0; length < bytes.size(); length++) {
    EXPECT_EQ(JobDay::Decode({bytes.data(), length}).Summarize(99 * kHour).runs, 0) << length;
  }
  std::string noise = bytes;
  for (std::size_t i = 1; i < noise.size(); i++) {
    noise[i] = static_cast<char>(noise[i] * 31 + 7);
    JobDay::Decode(noise).Summarize(99 * kHour);
  }
}

// What divides, and what is added up, may have been written by anybody.
TEST(JobDay, NumbersThatNobodyCounted) {
  const std::string lowest = "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01";     // -2^63
  const std::string highest = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f";        // 2^63 - 1
  const std::string minus_one = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";  // -1
  const std::string zeros(20, '\0');
  const auto day_of = [&](const std::string& duration, const std::string& runs) {
    return "\x01\x01\x01" + duration + zeros.substr(0, 4) + runs + zeros.substr(0, 5);
  };
  EXPECT_EQ(JobDay::Decode(day_of("\x05", "\x01")).Summarize(kHour).average_duration, 5);
  for (const std::string& duration : {lowest, highest, minus_one}) {
    for (const std::string& runs : {minus_one, lowest, highest}) {
      EXPECT_EQ(JobDay::Decode(day_of(duration, runs)).Summarize(kHour).runs, 0);
    }
  }
}

}  // namespace
}  // namespace ratchet::policy
