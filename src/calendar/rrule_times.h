#pragma once

#include <bit>
#include <cstdint>

#include "calendar/rrule.h"

namespace ratchet::calendar {

// The times of day of a rule, as seconds since midnight. Nothing in TimeParts may be 0 here.

constexpr int kDaySeconds = 86400;

inline int CountTimes(const TimeParts& times) {
  return std::popcount(times.hours) * std::popcount(times.minutes) * std::popcount(times.seconds);
}

// Bits from n on, and those below n.
constexpr std::uint64_t BitsFrom(std::uint64_t bits, int n) { return n > 63 ? 0 : bits >> n << n; }
constexpr std::uint64_t BitsBelow(std::uint64_t bits, int n) { return bits ^ BitsFrom(bits, n); }

inline int LowestBit(std::uint64_t bits) { return std::countr_zero(bits); }
inline int HighestBit(std::uint64_t bits) { return 63 - std::countl_zero(bits); }
inline int NthBit(std::uint64_t bits, std::int64_t n) {
  for (; n > 0; --n) {
    bits &= bits - 1;
  }
  return std::countr_zero(bits);
}

constexpr int TimeOf(int hour, int minute, int second) {
  return hour * 3600 + minute * 60 + second;
}

// First time at `from` or later; false when there is none on that day.
inline bool FirstTime(const TimeParts& times, int from, int* time) {
  const int hour = from / 3600;
  const int minute = from / 60 % 60;
  const int first_second = LowestBit(times.seconds);
  if ((times.hours >> hour & 1) != 0) {
    const std::uint64_t seconds = BitsFrom(times.seconds, from % 60);
    if ((times.minutes >> minute & 1) != 0 && seconds != 0) {
      *time = TimeOf(hour, minute, LowestBit(seconds));
      return true;
    }
    const std::uint64_t minutes = BitsFrom(times.minutes, minute + 1);
    if (minutes != 0) {
      *time = TimeOf(hour, LowestBit(minutes), first_second);
      return true;
    }
  }
  const std::uint64_t hours = BitsFrom(times.hours, hour + 1);
  if (hours == 0) {
    return false;
  }
  *time = TimeOf(LowestBit(hours), LowestBit(times.minutes), first_second);
  return true;
}

// Last time at `to` or earlier.
inline bool LastTime(const TimeParts& times, int to, int* time) {
  const int hour = to / 3600;
  const int minute = to / 60 % 60;
  const int last_second = HighestBit(times.seconds);
  if ((times.hours >> hour & 1) != 0) {
    const std::uint64_t seconds = BitsBelow(times.seconds, to % 60 + 1);
    if ((times.minutes >> minute & 1) != 0 && seconds != 0) {
      *time = TimeOf(hour, minute, HighestBit(seconds));
      return true;
    }
    const std::uint64_t minutes = BitsBelow(times.minutes, minute);
    if (minutes != 0) {
      *time = TimeOf(hour, HighestBit(minutes), last_second);
      return true;
    }
  }
  const std::uint64_t hours = BitsBelow(times.hours, hour);
  if (hours == 0) {
    return false;
  }
  *time = TimeOf(HighestBit(hours), HighestBit(times.minutes), last_second);
  return true;
}

// Number of times before `time`.
inline int CountTimesBefore(const TimeParts& times, int time) {
  const int hour = time / 3600;
  const int minute = time / 60 % 60;
  const int seconds = std::popcount(times.seconds);
  int count = std::popcount(BitsBelow(times.hours, hour)) * std::popcount(times.minutes) * seconds;
  if (hour < 24 && (times.hours >> hour & 1) != 0) {
    count += std::popcount(BitsBelow(times.minutes, minute)) * seconds;
    if ((times.minutes >> minute & 1) != 0) {
      count += std::popcount(BitsBelow(times.seconds, time % 60));
    }
  }
  return count;
}

// The n-th time of the day, from 0; there have to be so many.
inline int NthTime(const TimeParts& times, std::int64_t n) {
  const int seconds = std::popcount(times.seconds);
  const int in_hour = std::popcount(times.minutes) * seconds;
  return TimeOf(NthBit(times.hours, n / in_hour), NthBit(times.minutes, n % in_hour / seconds),
                NthBit(times.seconds, n % seconds));
}

}  // namespace ratchet::calendar
