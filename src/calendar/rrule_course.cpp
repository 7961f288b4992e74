#include "calendar/rrule_course.h"

#include <algorithm>
#include <utility>

#include "calendar/rrule_times.h"

namespace ratchet::calendar {

namespace {

std::int64_t Remainder(std::int64_t value, std::int64_t divisor) {
  return value - FloorDiv(value, divisor) * divisor;
}

constexpr std::int64_t kFirstReading = kFirstRuleDay * kDaySeconds;
constexpr std::int64_t kLastReading = kEndRuleDay * kDaySeconds - 1;

std::int64_t UnitOf(Frequency frequency) {
  switch (frequency) {
    case Frequency::kSecondly:
      return 1;
    case Frequency::kMinutely:
      return 60;
    case Frequency::kHourly:
      return 3600;
    default:
      return 0;
  }
}

}  // namespace

RuleCourse::RuleCourse(const RuleText& text, std::int64_t start, const RuleCourse* before)
    : frequency_(text.frequency),
      interval_(text.interval),
      has_start_in_text_(text.start.has_value()),
      start_(start),
      times_(text.times),
      positions_(text.positions),
      unit_(UnitOf(text.frequency)) {
  DateParts dates = text.dates;
  CompleteDates(&dates);
  dates_ = before != nullptr && before->dates_->parts() == dates
               ? before->dates_
               : std::make_shared<const DateSet>(std::move(dates));
  CompleteTimes();
  if (IsTicking()) {
    step_ = unit_ * interval_;
    first_tick_ = FloorDiv(start_, unit_) * unit_;
    ChooseOffsets(text.positions);
  } else {
    times_in_day_ = CountTimes(times_);
    first_period_ = FirstPeriod();
    for (const int position : positions_) {
      const int distance = position < 0 ? -position : position;
      smallest_position_ =
          smallest_position_ == 0 ? distance : std::min<std::int64_t>(smallest_position_, distance);
    }
  }
  if (text.until && text.until->kind != RuleTime::Kind::kInstant) {
    end_ = FloorDiv(text.until->time, kSecond);
  }
  if (text.count != 0) {
    end_ = LastOfCount(text.count);
  }
}

// What a rule leaves open is as in DTSTART: its month, its day, its weekday.
void RuleCourse::CompleteDates(DateParts* dates) const {
  const std::int64_t day = FloorDiv(start_, kDaySeconds);
  const CivilDate date = CivilFromDays(day);
  const bool has_days = (dates->days | dates->days_from_end) != 0;
  const bool has_weekdays = !dates->weekdays.empty();
  switch (frequency_) {
    case Frequency::kWeekly:
      if (!has_weekdays) {
        dates->weekdays.push_back({0, WeekdayFromDays(day)});
      }
      break;
    case Frequency::kMonthly:
      if (!has_days && !has_weekdays) {
        dates->days = 1U << date.day;
      }
      break;
    case Frequency::kYearly:
      if (has_days || has_weekdays || !dates->year_days.empty()) {
        break;
      }
      if (!dates->weeks.empty()) {
        dates->weekdays.push_back({0, WeekdayFromDays(day)});
        break;
      }
      dates->days = 1U << date.day;
      if (dates->months == 0) {
        dates->months = 1U << date.month;
      }
      break;
    default:
      break;
  }
}

void RuleCourse::CompleteTimes() {
  const auto time = static_cast<int>(Remainder(start_, kDaySeconds));
  // Without DTSTART, BYHOUR=18 means 18:00:00, and not the second at which the job was scheduled.
  const bool from_hour = !has_start_in_text_ && times_.hours != 0;
  const bool from_minute = !has_start_in_text_ && (times_.hours != 0 || times_.minutes != 0);
  if (times_.hours == 0 && !IsTicking()) {
    times_.hours = 1U << (time / 3600);
  }
  if (times_.minutes == 0 && unit_ != 60 && unit_ != 1) {
    times_.minutes = std::uint64_t{1} << (from_hour ? 0 : time / 60 % 60);
  }
  if (times_.seconds == 0 && unit_ != 1) {
    times_.seconds = std::uint64_t{1} << (from_minute ? 0 : time % 60);
  }
}

void RuleCourse::ChooseOffsets(const std::vector<int>& positions) {
  std::vector<std::int64_t> all;
  if (unit_ == 1) {
    all.push_back(0);
  } else {
    for (std::uint64_t m = unit_ == 3600 ? times_.minutes : 1; m != 0; m &= m - 1) {
      for (std::uint64_t s = times_.seconds; s != 0; s &= s - 1) {
        all.push_back(LowestBit(m) * 60 + LowestBit(s));
      }
    }
  }
  if (positions.empty()) {
    offsets_ = std::move(all);
    return;
  }
  const auto size = static_cast<std::int64_t>(all.size());
  for (const int position : positions) {
    const std::int64_t i = position > 0 ? position - 1 : size + position;
    if (i >= 0 && i < size) {
      offsets_.push_back(all[static_cast<std::size_t>(i)]);
    }
  }
  std::sort(offsets_.begin(), offsets_.end());
  offsets_.erase(std::unique(offsets_.begin(), offsets_.end()), offsets_.end());
}

// INT64_MAX when there are not so many.
std::int64_t RuleCourse::LastOfCount(int count) const {
  std::int64_t reading = start_ - 1;
  if (IsTicking() || !positions_.empty()) {
    for (; count > 0; --count) {
      if (!FirstReading(reading + 1, &reading)) {
        return INT64_MAX;
      }
    }
    return reading;
  }
  std::int64_t rest = count;
  std::int64_t day = FloorDiv(start_, kDaySeconds);
  for (std::int64_t from = day; FirstDate(from, &day); from = day + 1) {
    // Times of the first day may be before the beginning.
    const std::int64_t passed =
        from == day && day == FloorDiv(start_, kDaySeconds)
            ? CountTimesBefore(times_, static_cast<int>(Remainder(start_, kDaySeconds)))
            : 0;
    if (rest <= times_in_day_ - passed) {
      return day * kDaySeconds + NthTime(times_, passed + rest - 1);
    }
    rest -= times_in_day_ - passed;
  }
  return INT64_MAX;
}

bool RuleCourse::First(std::int64_t from, std::int64_t* reading) const {
  return FirstReading(std::max(from, start_), reading) && (!end_ || *reading <= *end_);
}

bool RuleCourse::Last(std::int64_t to, std::int64_t* reading) const {
  return LastReading(end_ ? std::min(to, *end_) : to, reading) && *reading >= start_;
}

bool RuleCourse::FirstReading(std::int64_t from, std::int64_t* reading) const {
  from = std::max(from, kFirstReading);
  if (from > kLastReading) {
    return false;
  }
  if (IsTicking()) {
    if (offsets_.empty()) {
      return false;
    }
    std::int64_t tick = 0;
    // The tick that `from` is in may have passed its last offset.
    for (std::int64_t at = from - unit_ + 1; FirstTick(at, &tick); at = tick + 1) {
      const auto offset = std::lower_bound(offsets_.begin(), offsets_.end(), from - tick);
      if (offset != offsets_.end()) {
        *reading = tick + *offset;
        return *reading <= kLastReading;
      }
    }
    return false;
  }
  if (!positions_.empty()) {
    return FirstChosen(from, reading);
  }
  const std::int64_t from_day = FloorDiv(from, kDaySeconds);
  std::int64_t day = 0;
  int time = 0;
  if (!FirstDate(from_day, &day)) {
    return false;
  }
  if (day == from_day) {
    if (FirstTime(times_, static_cast<int>(from - day * kDaySeconds), &time)) {
      *reading = day * kDaySeconds + time;
      return true;
    }
    if (!FirstDate(day + 1, &day)) {
      return false;
    }
  }
  *reading = day * kDaySeconds + NthTime(times_, 0);
  return true;
}

bool RuleCourse::LastReading(std::int64_t to, std::int64_t* reading) const {
  to = std::min(to, kLastReading);
  if (to < kFirstReading) {
    return false;
  }
  if (IsTicking()) {
    if (offsets_.empty()) {
      return false;
    }
    std::int64_t tick = 0;
    for (std::int64_t at = to; LastTick(at, &tick); at = tick - 1) {
      const auto behind = std::upper_bound(offsets_.begin(), offsets_.end(), to - tick);
      if (behind != offsets_.begin()) {
        *reading = tick + *(behind - 1);
        return true;
      }
    }
    return false;
  }
  if (!positions_.empty()) {
    return LastChosen(to, reading);
  }
  const std::int64_t to_day = FloorDiv(to, kDaySeconds);
  std::int64_t day = 0;
  int time = 0;
  if (!LastDate(to_day, &day)) {
    return false;
  }
  if (day == to_day) {
    if (LastTime(times_, static_cast<int>(to - day * kDaySeconds), &time)) {
      *reading = day * kDaySeconds + time;
      return true;
    }
    if (!LastDate(day - 1, &day)) {
      return false;
    }
  }
  *reading = day * kDaySeconds + NthTime(times_, times_in_day_ - 1);
  return true;
}

}  // namespace ratchet::calendar
