#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "calendar/rrule.h"

namespace ratchet::calendar {

// The occurrences of a rule that begins at a given DTSTART, as seconds of its clock since 2000,
// without EXDATE and RDATE, and without an UNTIL that is an instant.
//
// A rule is a set of periods (every n-th day, month, hour, ...), each with the same choice of
// readings. Periods of a day and longer have dates, all with the same times of day. Shorter ones,
// here called ticks, have offsets from their beginning, and happen on some dates and times only.
class RuleCourse {
 public:
  // `before` is another course of the same rule, or nullptr: what libical has said is taken over
  // from it, if the dates are the same.
  RuleCourse(const RuleText& text, std::int64_t start, const RuleCourse* before);

  std::int64_t start() const { return start_; }

  // First one at `from` or later, and last one at `to` or earlier; false when there is none.
  bool First(std::int64_t from, std::int64_t* reading) const;
  bool Last(std::int64_t to, std::int64_t* reading) const;

 private:
  bool IsTicking() const { return unit_ != 0; }
  void CompleteDates(DateParts* dates) const;
  void CompleteTimes();
  void ChooseOffsets(const std::vector<int>& positions);
  std::int64_t LastOfCount(int count) const;

  // Regardless of where the rule begins and ends.
  bool FirstReading(std::int64_t from, std::int64_t* reading) const;
  bool LastReading(std::int64_t to, std::int64_t* reading) const;

  // Periods of a day and longer.
  std::int64_t PeriodOf(std::int64_t day) const;
  std::int64_t FirstPeriod() const;
  std::int64_t BeginOf(std::int64_t period) const;
  std::int64_t OffGrid(std::int64_t period) const;
  bool FirstDate(std::int64_t from, std::int64_t* day) const;
  bool LastDate(std::int64_t to, std::int64_t* day) const;
  // Number of readings of the period that begins on `begin` and are before `reading`.
  std::int64_t RankIn(std::int64_t begin, std::int64_t reading) const;
  bool FirstChosen(std::int64_t from, std::int64_t* reading) const;
  bool LastChosen(std::int64_t to, std::int64_t* reading) const;

  // Ticks.
  std::int64_t TickAtOrAfter(std::int64_t from) const;
  std::int64_t TickAtOrBefore(std::int64_t to) const;
  bool FirstTick(std::int64_t from, std::int64_t* tick) const;
  bool LastTick(std::int64_t to, std::int64_t* tick) const;
  bool FirstTickOfDay(std::int64_t* offset) const;
  bool LastTickOfDay(std::int64_t* offset) const;

  Frequency frequency_;
  std::int64_t interval_;
  bool has_start_in_text_;
  std::int64_t start_;
  std::shared_ptr<const DateSet> dates_;
  TimeParts times_;
  std::int64_t times_in_day_ = 1;
  std::vector<int> positions_;
  std::int64_t smallest_position_ = 0;
  std::int64_t first_period_ = 0;
  std::int64_t unit_ = 0;              // of ticks, in seconds
  std::int64_t step_ = 0;              // between ticks
  std::int64_t first_tick_ = 0;        // the one that `start_` is in
  std::vector<std::int64_t> offsets_;  // in a tick, ascending
  std::optional<std::int64_t> end_;    // no occurrence is later
};

}  // namespace ratchet::calendar
