// Periods of a day and longer: which dates they have, and BYSETPOS.
#include <algorithm>

#include "calendar/rrule_course.h"
#include "calendar/rrule_times.h"

namespace ratchet::calendar {

namespace {

// Weeks are counted from this day on: 2000-01-01 is a Saturday.
std::int64_t FirstWeekday(int week_start) { return (week_start + 1) % 7; }

}  // namespace

std::int64_t RuleCourse::PeriodOf(std::int64_t day) const {
  const DateParts& parts = dates_->parts();
  switch (frequency_) {
    case Frequency::kYearly:
      // With BYWEEKNO, the year of the weeks: the first of them may begin in December.
      return parts.weeks.empty() ? CivilFromDays(day).year : WeekYearOf(day, parts.week_start);
    case Frequency::kMonthly: {
      const CivilDate date = CivilFromDays(day);
      return date.year * 12 + date.month - 1;
    }
    case Frequency::kWeekly:
      return FloorDiv(day - FirstWeekday(parts.week_start), 7);
    default:
      return day;
  }
}

std::int64_t RuleCourse::BeginOf(std::int64_t period) const {
  const DateParts& parts = dates_->parts();
  switch (frequency_) {
    case Frequency::kYearly:
      return parts.weeks.empty() ? DaysFromCivil({period, 1, 1})
                                 : FirstWeekOf(period, parts.week_start);
    case Frequency::kMonthly: {
      const std::int64_t year = FloorDiv(period, 12);
      return DaysFromCivil({year, static_cast<int>(period - year * 12) + 1, 1});
    }
    case Frequency::kWeekly:
      return period * 7 + FirstWeekday(parts.week_start);
    default:
      return period;
  }
}

// From which INTERVAL counts. In a rule by weeks those are calendar years, too: that of DTSTART is
// the first, also if DTSTART lies in a week of another one. Each has the weeks that belong to it.
std::int64_t RuleCourse::FirstPeriod() const {
  const std::int64_t day = FloorDiv(start_, kDaySeconds);
  return frequency_ == Frequency::kYearly ? CivilFromDays(day).year : PeriodOf(day);
}

// How many periods after one that is on the grid of the interval.
std::int64_t RuleCourse::OffGrid(std::int64_t period) const {
  const std::int64_t distance = period - first_period_;
  return distance - FloorDiv(distance, interval_) * interval_;
}

bool RuleCourse::FirstDate(std::int64_t from, std::int64_t* day) const {
  from = std::max(from, kFirstRuleDay);
  while (dates_->First(from, kEndRuleDay, day)) {
    const std::int64_t period = PeriodOf(*day);
    const std::int64_t off = OffGrid(period);
    if (off == 0) {
      return true;
    }
    from = BeginOf(period + interval_ - off);
  }
  return false;
}

bool RuleCourse::LastDate(std::int64_t to, std::int64_t* day) const {
  std::int64_t end = std::min(to + 1, kEndRuleDay);
  while (dates_->Last(kFirstRuleDay, end, day)) {
    const std::int64_t period = PeriodOf(*day);
    const std::int64_t off = OffGrid(period);
    if (off == 0) {
      return true;
    }
    end = BeginOf(period - off + 1);
  }
  return false;
}

std::int64_t RuleCourse::RankIn(std::int64_t begin, std::int64_t reading) const {
  const std::int64_t day = FloorDiv(reading, kDaySeconds);
  if (day < begin) {
    return 0;
  }
  const std::int64_t before = dates_->Count(begin, day);
  const bool is_date = dates_->Count(day, day + 1) != 0;
  return before * times_in_day_ +
         (is_date ? CountTimesBefore(times_, static_cast<int>(reading - day * kDaySeconds)) : 0);
}

bool RuleCourse::FirstChosen(std::int64_t from, std::int64_t* reading) const {
  std::int64_t day = FloorDiv(from, kDaySeconds);
  while (FirstDate(day, &day)) {
    const std::int64_t period = PeriodOf(day);
    const std::int64_t begin = BeginOf(period);
    const std::int64_t end = BeginOf(period + 1);
    const std::int64_t size = dates_->Count(begin, end) * times_in_day_;
    if (smallest_position_ <= size) {
      const std::int64_t rank = RankIn(begin, from);
      std::int64_t best = size;
      for (const int position : positions_) {
        const std::int64_t i = position > 0 ? position - 1 : size + position;
        if (i >= rank && i < best) {
          best = i;
        }
      }
      if (best < size) {
        *reading = dates_->Nth(begin, end, static_cast<int>(best / times_in_day_)) * kDaySeconds +
                   NthTime(times_, best % times_in_day_);
        return true;
      }
    }
    day = BeginOf(period + interval_);
  }
  return false;
}

bool RuleCourse::LastChosen(std::int64_t to, std::int64_t* reading) const {
  std::int64_t day = FloorDiv(to, kDaySeconds);
  while (LastDate(day, &day)) {
    const std::int64_t period = PeriodOf(day);
    const std::int64_t begin = BeginOf(period);
    const std::int64_t end = BeginOf(period + 1);
    const std::int64_t size = dates_->Count(begin, end) * times_in_day_;
    if (smallest_position_ <= size) {
      const std::int64_t rank = to + 1 < end * kDaySeconds ? RankIn(begin, to + 1) : size;
      std::int64_t best = -1;
      for (const int position : positions_) {
        const std::int64_t i = position > 0 ? position - 1 : size + position;
        if (i < rank && i > best) {
          best = i;
        }
      }
      if (best >= 0) {
        *reading = dates_->Nth(begin, end, static_cast<int>(best / times_in_day_)) * kDaySeconds +
                   NthTime(times_, best % times_in_day_);
        return true;
      }
    }
    day = BeginOf(period) - 1;
  }
  return false;
}

}  // namespace ratchet::calendar
