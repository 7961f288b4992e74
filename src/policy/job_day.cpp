#include "policy/job_day.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace ratchet::policy {
namespace {

constexpr std::int64_t kHourLength = 3'600'000'000;
constexpr std::int64_t kHalfLength = 12 * kHourLength;
constexpr int kFormat = 1;

// What is kept as of so many hours after a run that has ended now, is of a clock that was ahead.
constexpr std::int64_t kAheadHours = 48;
constexpr std::int64_t kAheadHalves = 4;

constexpr std::int64_t FloorDiv(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

// Buckets grow by a factor of 2^(1/4): two bits below the leading one choose among four.
int BucketOf(std::int64_t duration, int buckets) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration, 1));
  if (value < 4) {
    return static_cast<int>(value);
  }
  const int exponent = std::bit_width(value) - 1;
  const int quarter = static_cast<int>((value >> (exponent - 2)) & 3U);
  return std::min(4 * (exponent - 1) + quarter, buckets - 1);
}

// Middle of the bucket.
std::int64_t ValueOf(int bucket) {
  if (bucket < 4) {
    return bucket;
  }
  const int exponent = bucket / 4 + 1;
  const std::int64_t width = std::int64_t{1} << (exponent - 2);
  return (std::int64_t{1} << exponent) + (bucket % 4) * width + width / 2;
}

}  // namespace

JobDay::Hour& JobDay::HourOf(std::int64_t hour) {
  Hour& slot = hours_[static_cast<std::size_t>(hour - FloorDiv(hour, kHours) * kHours)];
  if (slot.hour < hour || slot.hour > hour + kAheadHours) {
    slot = Hour{};
    slot.hour = hour;
  }
  return slot;
}

JobDay::Half& JobDay::HalfOf(std::int64_t half) {
  Half& slot = halves_[static_cast<std::size_t>(half & 1)];
  if (slot.half < half || slot.half > half + kAheadHalves) {
    slot = Half{};
    slot.half = half;
  }
  return slot;
}

void JobDay::Add(std::int64_t finished_at, bool failed, std::int64_t duration, std::int64_t lag) {
  const std::int64_t hour = FloorDiv(finished_at, kHourLength);
  Hour& slot = HourOf(hour);
  if (slot.hour != hour) {
    return;  // older than what is kept
  }
  slot.shortest = slot.runs == 0 ? duration : std::min(slot.shortest, duration);
  slot.longest = std::max(slot.longest, duration);
  slot.runs++;
  slot.failures += failed ? 1 : 0;
  slot.duration += duration;
  slot.lag += lag;
  slot.max_lag = std::max(slot.max_lag, lag);
  const std::int64_t half = FloorDiv(finished_at, kHalfLength);
  Half& histogram = HalfOf(half);
  if (histogram.half == half) {
    histogram.counts[static_cast<std::size_t>(BucketOf(duration, kBuckets))]++;
  }
}

void JobDay::Merge(const JobDay& later) {
  for (const Hour& other : later.hours_) {
    if (other.hour < 0) {
      continue;
    }
    Hour& slot = HourOf(other.hour);
    if (slot.hour == other.hour && other.runs > 0) {
      slot.shortest = slot.runs == 0 ? other.shortest : std::min(slot.shortest, other.shortest);
      slot.longest = std::max(slot.longest, other.longest);
      slot.runs += other.runs;
      slot.failures += other.failures;
      slot.duration += other.duration;
      slot.lag += other.lag;
      slot.max_lag = std::max(slot.max_lag, other.max_lag);
    }
  }
  for (const Half& other : later.halves_) {
    if (other.half < 0) {
      continue;
    }
    Half& slot = HalfOf(other.half);
    if (slot.half == other.half) {
      for (std::size_t i = 0; i < slot.counts.size(); i++) {
        slot.counts[i] += other.counts[i];
      }
    }
  }
}

JobDay::Summary JobDay::Summarize(std::int64_t at) const {
  Summary summary;
  std::int64_t duration = 0;
  std::int64_t lag = 0;
  std::int64_t shortest = INT64_MAX;
  std::int64_t longest = 0;
  const std::int64_t newest = FloorDiv(at, kHourLength);
  for (const Hour& slot : hours_) {
    if (slot.hour < 0 || slot.hour <= newest - kHours || slot.hour > newest) {
      continue;
    }
    shortest = std::min(shortest, slot.shortest);
    longest = std::max(longest, slot.longest);
    summary.runs += slot.runs;
    summary.failures += slot.failures;
    duration += slot.duration;
    lag += slot.lag;
    summary.max_lag = std::max(summary.max_lag, slot.max_lag);
  }
  if (summary.runs == 0) {
    return summary;
  }
  summary.average_duration = duration / summary.runs;
  summary.average_lag = lag / summary.runs;
  const std::int64_t newest_half = FloorDiv(at, kHalfLength);
  const auto within = [&](std::int64_t estimate) {
    return std::max(std::min(estimate, longest), shortest);
  };
  summary.median_duration = within(DurationAt(50, newest_half));
  summary.p95_duration = within(DurationAt(95, newest_half));
  CompareHours(newest, &summary);
  return summary;
}

// That of which so many per cent of the runs were not longer; 0 when none was counted.
std::int64_t JobDay::DurationAt(int percent, std::int64_t newest_half) const {
  std::array<std::uint64_t, kBuckets> counts{};
  std::uint64_t total = 0;
  for (const Half& half : halves_) {
    if (half.half < 0 || half.half < newest_half - 1 || half.half > newest_half) {
      continue;
    }
    for (std::size_t i = 0; i < counts.size(); i++) {
      counts[i] += half.counts[i];
      total += half.counts[i];
    }
  }
  std::uint64_t seen = 0;
  for (int i = 0; i < kBuckets && total > 0; i++) {
    seen += counts[static_cast<std::size_t>(i)];
    if (seen * 100 >= total * static_cast<std::uint64_t>(percent)) {
      return ValueOf(i);
    }
  }
  return 0;
}

void JobDay::CompareHours(std::int64_t newest, Summary* summary) const {
  constexpr std::int64_t kNotable = 100'000;
  constexpr std::int64_t kFewest = 3;  // runs, of which an average says something
  std::int64_t runs[2] = {};
  std::int64_t durations[2] = {};
  for (const Hour& slot : hours_) {
    if (slot.hour < 0 || slot.hour <= newest - kHours || slot.hour > newest) {
      continue;
    }
    const int recent = slot.hour >= newest - 1 ? 1 : 0;
    runs[recent] += slot.runs;
    durations[recent] += slot.duration;
  }
  if (runs[0] < kFewest || runs[1] < kFewest) {
    return;
  }
  const std::int64_t earlier = durations[0] / runs[0];
  const std::int64_t recently = durations[1] / runs[1];
  if (recently / 2 > earlier && recently - earlier >= kNotable) {
    summary->slower_duration = recently;
    summary->earlier_duration = earlier;
  }
}

// A format number, then the hours and the buckets that are in use as variable-length numbers, seven
// bits to a byte: some fifty bytes for a job that runs now and then.
std::string JobDay::Encode() const {
  std::string bytes(1, static_cast<char>(kFormat));
  const auto put = [&bytes](std::int64_t number) {
    auto rest = static_cast<std::uint64_t>(number);
    for (; rest >= 0x80; rest >>= 7) {
      bytes.push_back(static_cast<char>(rest | 0x80));
    }
    bytes.push_back(static_cast<char>(rest));
  };
  put(std::count_if(hours_.begin(), hours_.end(), [](const Hour& h) { return h.hour >= 0; }));
  for (const Hour& hour : hours_) {
    if (hour.hour >= 0) {
      for (const std::int64_t number :
           {hour.hour, hour.duration, hour.lag, hour.max_lag, hour.shortest, hour.longest,
            std::int64_t{hour.runs}, std::int64_t{hour.failures}}) {
        put(number);
      }
    }
  }
  for (const Half& half : halves_) {
    put(half.half + 1);
    put(std::count_if(half.counts.begin(), half.counts.end(), [](auto n) { return n > 0; }));
    for (std::size_t i = 0; i < half.counts.size(); i++) {
      if (half.counts[i] > 0) {
        put(static_cast<std::int64_t>(i));
        put(half.counts[i]);
      }
    }
  }
  return bytes;
}

// Whether it can be what was counted. The bytes may be anybody's: of what is possible, no sum over
// a day overflows, and there is something to divide by.
bool JobDay::IsPossible(const Hour& hour) {
  constexpr std::int64_t kMost = INT64_MAX / kHours;
  for (const std::int64_t number :
       {hour.duration, hour.lag, hour.max_lag, hour.shortest, hour.longest}) {
    if (number < -kMost || number > kMost) {
      return false;
    }
  }
  return hour.hour >= 0 && hour.runs >= 0;
}

JobDay JobDay::Decode(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != static_cast<char>(kFormat)) {
    return {};
  }
  bytes.remove_prefix(1);
  bool whole = true;
  const auto get = [&bytes, &whole]() -> std::int64_t {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes.empty()) {
        break;
      }
      const auto byte = static_cast<unsigned char>(bytes[0]);
      bytes.remove_prefix(1);
      number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        return static_cast<std::int64_t>(number);
      }
    }
    whole = false;
    return 0;
  };
  JobDay day;
  for (std::int64_t left = get(); whole && left > 0; left--) {
    Hour hour;
    hour.hour = get();
    hour.duration = get();
    hour.lag = get();
    hour.max_lag = get();
    hour.shortest = get();
    hour.longest = get();
    hour.runs = static_cast<std::int32_t>(get());
    hour.failures = static_cast<std::int32_t>(get());
    whole = whole && IsPossible(hour);
    if (whole) {
      day.HourOf(hour.hour) = hour;
    }
  }
  for (Half& half : day.halves_) {
    half.half = get() - 1;
    for (std::int64_t left = get(); whole && left > 0; left--) {
      const auto bucket = static_cast<std::uint64_t>(get());
      const auto count = static_cast<std::uint32_t>(get());
      if (bucket < half.counts.size()) {
        half.counts[bucket] = count;
      }
    }
  }
  return whole ? day : JobDay();
}

}  // namespace ratchet::policy
