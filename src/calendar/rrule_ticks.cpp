// Hours, minutes and seconds that begin every so often. BYxxx parts of what is larger leave some
// out; whole days and hours of these are passed over at once.
#include <algorithm>

#include "calendar/rrule_course.h"
#include "calendar/rrule_times.h"

namespace ratchet::calendar {

namespace {

std::int64_t Remainder(std::int64_t value, std::int64_t divisor) {
  return value - FloorDiv(value, divisor) * divisor;
}

// Distances from midnight to the first tick of a day for which no tick of the day matches. Searches
// come by the same ones again and again, so that each costs time only once.
class FailedDays {
 public:
  explicit FailedDays(std::int64_t step) : step_(step) {}

  bool Knows(std::int64_t offset) const {
    return !failed_.empty() && failed_[static_cast<std::size_t>(offset % step_)];
  }
  void Add(std::int64_t offset) {
    // With longer steps a day has one tick at most, which is looked at in no time.
    if (step_ > kDaySeconds) {
      return;
    }
    if (failed_.empty()) {
      failed_.resize(static_cast<std::size_t>(step_));
    }
    failed_[static_cast<std::size_t>(offset % step_)] = true;
  }

 private:
  std::int64_t step_;
  std::vector<bool> failed_;
};

}  // namespace

std::int64_t RuleCourse::TickAtOrAfter(std::int64_t from) const {
  return from + Remainder(first_tick_ - from, step_);
}

std::int64_t RuleCourse::TickAtOrBefore(std::int64_t to) const {
  return to - Remainder(to - first_tick_, step_);
}

bool RuleCourse::FirstTick(std::int64_t from, std::int64_t* tick) const {
  FailedDays failed(step_);
  std::int64_t at = TickAtOrAfter(from);
  for (;;) {
    const std::int64_t at_day = FloorDiv(at, kDaySeconds);
    std::int64_t day = 0;
    if (!dates_->First(std::max(at_day, kFirstRuleDay), kEndRuleDay, &day)) {
      return false;
    }
    if (day > at_day) {
      at = TickAtOrAfter(day * kDaySeconds);
      continue;
    }
    std::int64_t offset = at - day * kDaySeconds;
    const bool is_whole_day = offset < step_;
    if (!(is_whole_day && failed.Knows(offset))) {
      const std::int64_t first = offset;
      if (FirstTickOfDay(&offset)) {
        *tick = day * kDaySeconds + offset;
        return true;
      }
      if (is_whole_day) {
        failed.Add(first);
      }
    }
    at = TickAtOrAfter((day + 1) * kDaySeconds);
  }
}

bool RuleCourse::LastTick(std::int64_t to, std::int64_t* tick) const {
  FailedDays failed(step_);
  std::int64_t at = TickAtOrBefore(to);
  for (;;) {
    const std::int64_t at_day = FloorDiv(at, kDaySeconds);
    std::int64_t day = 0;
    if (!dates_->Last(kFirstRuleDay, std::min(at_day + 1, kEndRuleDay), &day)) {
      return false;
    }
    if (day < at_day) {
      at = TickAtOrBefore((day + 1) * kDaySeconds - 1);
      continue;
    }
    std::int64_t offset = at - day * kDaySeconds;
    const bool is_whole_day = offset + step_ >= kDaySeconds;
    if (!(is_whole_day && failed.Knows(offset))) {
      const std::int64_t last = offset;
      if (LastTickOfDay(&offset)) {
        *tick = day * kDaySeconds + offset;
        return true;
      }
      if (is_whole_day) {
        failed.Add(last);
      }
    }
    at = TickAtOrBefore(day * kDaySeconds - 1);
  }
}

// From *offset on, which is a tick.
bool RuleCourse::FirstTickOfDay(std::int64_t* offset) const {
  const auto go_to = [this, offset](std::int64_t target) {
    *offset += (target - *offset + step_ - 1) / step_ * step_;
  };
  while (*offset < kDaySeconds) {
    const auto hour = static_cast<int>(*offset / 3600);
    const auto minute = static_cast<int>(*offset / 60 % 60);
    const auto second = static_cast<int>(*offset % 60);
    if (times_.hours != 0 && (times_.hours >> hour & 1) == 0) {
      const std::uint64_t later = BitsFrom(times_.hours, hour);
      if (later == 0) {
        return false;
      }
      go_to(std::int64_t{LowestBit(later)} * 3600);
    } else if (unit_ <= 60 && times_.minutes != 0 && (times_.minutes >> minute & 1) == 0) {
      const std::uint64_t later = BitsFrom(times_.minutes, minute);
      go_to(std::int64_t{hour} * 3600 + std::int64_t{later == 0 ? 60 : LowestBit(later)} * 60);
    } else if (unit_ == 1 && times_.seconds != 0 && (times_.seconds >> second & 1) == 0) {
      const std::uint64_t later = BitsFrom(times_.seconds, second);
      go_to(hour * 3600 + minute * 60 + (later == 0 ? 60 : LowestBit(later)));
    } else {
      return true;
    }
  }
  return false;
}

bool RuleCourse::LastTickOfDay(std::int64_t* offset) const {
  // The last second of what is looked for.
  const auto go_to = [this, offset](std::int64_t target) {
    *offset -= (*offset - target + step_ - 1) / step_ * step_;
  };
  while (*offset >= 0) {
    const auto hour = static_cast<int>(*offset / 3600);
    const auto minute = static_cast<int>(*offset / 60 % 60);
    const auto second = static_cast<int>(*offset % 60);
    if (times_.hours != 0 && (times_.hours >> hour & 1) == 0) {
      const std::uint64_t earlier = BitsBelow(times_.hours, hour);
      if (earlier == 0) {
        return false;
      }
      go_to(HighestBit(earlier) * 3600 + 3599);
    } else if (unit_ <= 60 && times_.minutes != 0 && (times_.minutes >> minute & 1) == 0) {
      const std::uint64_t earlier = BitsBelow(times_.minutes, minute);
      go_to(hour * 3600 + (earlier == 0 ? -1 : HighestBit(earlier) * 60 + 59));
    } else if (unit_ == 1 && times_.seconds != 0 && (times_.seconds >> second & 1) == 0) {
      const std::uint64_t earlier = BitsBelow(times_.seconds, second);
      go_to(hour * 3600 + minute * 60 + (earlier == 0 ? -1 : HighestBit(earlier)));
    } else {
      return true;
    }
  }
  return false;
}

}  // namespace ratchet::calendar
