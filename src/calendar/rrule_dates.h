#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace ratchet::calendar {

// The parts of a recurrence rule that choose dates, and the dates that they choose.

struct WeekdayPart {
  int nth = 0;      // 0: every one; -1: the last of the month or year
  int weekday = 0;  // 0: Sunday

  friend bool operator==(const WeekdayPart&, const WeekdayPart&) = default;
};

// What is empty does not restrict.
struct DateParts {
  std::uint32_t months = 0;         // bits 1..12
  std::uint32_t days = 0;           // of the month: bits 1..31
  std::uint32_t days_from_end = 0;  // bit 1: the last day of the month
  std::vector<int> year_days;       // 1..366, -1..-366
  std::vector<int> weeks;           // 1..53, -1..-53
  std::vector<WeekdayPart> weekdays;
  bool nth_in_month = true;  // otherwise WeekdayPart::nth counts in the year
  int week_start = 1;        // weekday

  friend bool operator==(const DateParts&, const DateParts&) = default;
};

// Bit n is the day n after 1 January.
using YearMask = std::array<std::uint64_t, 6>;

// The days of a year that match every part of `parts` but the weeks, as libical says. Years from
// 2000 to 2099.
YearMask ExpandByLibical(const DateParts& parts, int year);

// First day of the first week of a year: that which has at least four days in it.
std::int64_t FirstWeekOf(std::int64_t year, int week_start);
// The year that the week of `day` belongs to.
std::int64_t WeekYearOf(std::int64_t day, int week_start);

// The dates that match all parts, as days since 2000-01-01. Whether a date does depends on the kind
// of its year only: whether it, the one before and the one behind are leap years, and its first
// weekday. So libical expands 28 years at most, each when it is first needed.
class DateSet {
 public:
  explicit DateSet(DateParts parts) : parts_(std::move(parts)) {}

  const DateParts& parts() const { return parts_; }

  // First date in [from, to), last one in it, and the number of them. False when there is none.
  bool First(std::int64_t from, std::int64_t to, std::int64_t* day) const;
  bool Last(std::int64_t from, std::int64_t to, std::int64_t* day) const;
  int Count(std::int64_t from, std::int64_t to) const;
  // The n-th of them, from 0; there have to be so many.
  std::int64_t Nth(std::int64_t from, std::int64_t to, int n) const;

 private:
  static constexpr int kKinds = 28;

  const YearMask& MaskOf(std::int64_t year, std::int64_t first_day) const;
  YearMask ExpandWeeks(std::int64_t year) const;

  DateParts parts_;
  mutable std::array<std::unique_ptr<YearMask>, kKinds> masks_;
};

}  // namespace ratchet::calendar
