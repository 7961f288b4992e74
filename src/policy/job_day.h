// The last day of a job in a fixed small space: counters per hour, and how long its runs took.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ratchet::policy {

// Instants are microseconds since 2000-01-01 UTC, durations microseconds. The
// stored form starts with a format number, so that a later version can drop what it cannot read.
class JobDay {
 public:
  void Add(std::int64_t finished_at, bool failed, std::int64_t duration, std::int64_t lag);
  // Takes up what `later` has counted.
  void Merge(const JobDay& later);

  struct Summary {
    std::int64_t runs = 0;
    std::int64_t failures = 0;
    std::int64_t average_duration = 0;
    std::int64_t median_duration = 0;  // within 10 %, and within what was seen
    std::int64_t p95_duration = 0;     // likewise
    // On average, of the hour of `at` and the one before it if runs take more than twice as long
    // there as in the hours before these, and a tenth of a second more; else 0.
    std::int64_t slower_duration = 0;
    std::int64_t earlier_duration = 0;  // of the hours before; 0 if slower_duration is
    std::int64_t average_lag = 0;
    std::int64_t max_lag = 0;
  };
  // Of the 24 hours before `at`, to the hour.
  Summary Summarize(std::int64_t at) const;

  std::string Encode() const;
  // Empty when the text is not one of ours.
  static JobDay Decode(std::string_view bytes);

 private:
  static constexpr int kHours = 24;
  static constexpr int kBuckets = 128;

  struct Hour {
    std::int64_t hour = -1;  // hours since 2000-01-01 UTC
    std::int64_t duration = 0;
    std::int64_t lag = 0;
    std::int64_t max_lag = 0;
    std::int64_t shortest = 0;  // duration; of no meaning without runs
    std::int64_t longest = 0;
    std::int32_t runs = 0;
    std::int32_t failures = 0;
  };
  // The histogram has two halves of twelve hours: the older one is dropped as a whole.
  struct Half {
    std::int64_t half = -1;
    std::array<std::uint32_t, kBuckets> counts{};
  };

  static bool IsPossible(const Hour& hour);
  std::int64_t DurationAt(int percent, std::int64_t newest_half) const;
  void CompareHours(std::int64_t newest, Summary* summary) const;
  Hour& HourOf(std::int64_t hour);
  Half& HalfOf(std::int64_t half);

  std::array<Hour, kHours> hours_{};
  std::array<Half, 2> halves_{};
};

}  // namespace ratchet::policy
