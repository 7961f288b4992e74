#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calendar/civil.h"
#include "calendar/instant.h"
#include "calendar/rrule_dates.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

// A recurrence rule of iCalendar (RFC 5545), with the properties around it.
//
// Occurrences are readings of the wall clock of the job's zone, or of UTC when DTSTART says so, and
// meet daylight saving as wall_clock.h says. They lie in the years 1 to 3999: what would be later
// never comes.

enum class Frequency : std::uint8_t {
  kSecondly,
  kMinutely,
  kHourly,
  kDaily,
  kWeekly,
  kMonthly,
  kYearly,
};

// A point in time as a property says it. kReading is one of the clock that the rule is meant on.
struct RuleTime {
  enum class Kind : std::uint8_t { kReading, kInstant, kDate };
  std::int64_t time = 0;  // kDate: the midnight at which it begins
  Kind kind = Kind::kReading;

  friend bool operator==(const RuleTime&, const RuleTime&) = default;
};

// Bits of values that may occur, in a minute, an hour and a day. 0 in one of them: not given.
struct TimeParts {
  std::uint64_t seconds = 0;
  std::uint64_t minutes = 0;
  std::uint32_t hours = 0;

  friend bool operator==(const TimeParts&, const TimeParts&) = default;
};

struct RuleText {
  Frequency frequency = Frequency::kDaily;
  int interval = 1;
  int count = 0;  // 0: no limit
  std::optional<RuleTime> until;
  std::optional<Local> start;  // DTSTART
  bool in_utc = false;
  DateParts dates;
  TimeParts times;
  std::vector<int> positions;      // BYSETPOS, without repetition
  std::vector<RuleTime> added;     // RDATE
  std::vector<RuleTime> left_out;  // EXDATE

  friend bool operator==(const RuleText&, const RuleText&) = default;
};

// The largest COUNT: the last occurrence is found by counting them.
constexpr int kMaxRuleCount = 100000;
constexpr int kMaxRuleInterval = 32767;
// Occurrences are looked for on these days.
constexpr std::int64_t kFirstRuleDay = -730119;  // 0001-01-01
constexpr std::int64_t kEndRuleDay = 730485;     // 4000-01-01

class RuleCourse;

// Immutable but for what it remembers of earlier questions: not to be used by two threads at once.
class Rule {
 public:
  // Throws ScheduleError for a rule that never runs.
  explicit Rule(RuleText text, std::string_view whole);
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;
  ~Rule();

  const RuleText& text() const { return text_; }

  // `anchor` stands for DTSTART when the text has none. kMinInstant <= after, until < kEndInstant.
  Instant Next(Instant after, const Zone& zone, Instant anchor) const;
  Instant Last(Instant after, Instant until, const Zone& zone, Instant anchor) const;

  // An anchor at `from` or earlier with the same occurrences from `anchor` on; `anchor` itself when
  // there is none. A rule with DTSTART or COUNT has no occurrences before its beginning.
  Instant AnchorBefore(Instant from, const Zone& zone, Instant anchor) const;

  // As Schedule::Describe().
  std::string Describe() const;

 private:
  const RuleCourse& CourseFrom(const Zone& zone, Instant anchor) const;
  void RequireOccurrence(std::string_view whole) const;

  RuleText text_;
  // For the DTSTART that was asked for last.
  mutable std::unique_ptr<RuleCourse> course_;
};

// Property lines, 'RRULE:FREQ=DAILY DTSTART:20270101T090000'. Throws ScheduleError.
std::shared_ptr<const Rule> ParseRule(std::string_view text);

// Whether `text` begins with the name of a property, so that it is one that ParseRule() reads.
bool IsCalendarRule(std::string_view text);

}  // namespace ratchet::calendar
