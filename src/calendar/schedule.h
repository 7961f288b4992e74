#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "calendar/cron.h"
#include "calendar/instant.h"
#include "calendar/interval.h"
#include "calendar/rrule.h"
#include "calendar/zone.h"

namespace ratchet::calendar {

enum class Kind : std::uint8_t {
  kInterval,         // '5 minutes': a fixed grid from the anchor
  kAfterCompletion,  // '5 minutes after completion'
  kCron,             // '0 9 * * MON-FRI', '@daily'
  kRule,             // 'RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18'
  kOnce,             // 'at 2027-01-01 00:00'
  kManual,           // '@manual'
  kStartup,          // '@startup'
  kContinuous,       // '@continuous'
};

// What is wrong with a schedule's text. what() is a message in PostgreSQL's style, hint() a whole
// sentence or empty. Both are valid UTF-8 whatever the text was.
class ScheduleError : public std::runtime_error {
 public:
  ScheduleError(const std::string& message, std::string hint);
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

// One point in time: an instant, or a reading of the wall clock of the job's zone.
struct Once {
  std::int64_t time = 0;
  bool is_instant = false;

  friend bool operator==(const Once&, const Once&) = default;
};

// When a job is due. A value without heap memory, for a server holds a million of them; only what
// an iCalendar rule says is kept elsewhere, and shared by its copies.
//
// Wall-clock schedules (cron with a fixed minute and hour, intervals of days and longer, iCalendar
// rules, 'at' without an offset) meet daylight saving as cronie does: an occurrence in a spring gap
// is due once, at the first valid instant after it; one in a repeated hour once, in its first pass;
// one in a gap longer than three hours not at all. Cron whose minute or hour field starts with '*'
// and intervals below a day go by elapsed time: due in both passes of a repeated hour, never in a
// gap.
class Schedule {
 public:
  // Same as Parse("@manual").
  Schedule() = default;

  // The job's name chooses the values of 'H' in a cron line, and matters to nothing else. Throws
  // ScheduleError, and no other exception but std::bad_alloc.
  static Schedule Parse(std::string_view text, std::string_view job_name = {});

  Kind kind() const { return kind_; }

  // First occurrence strictly after `after`, or kNever. `anchor` matters to intervals, whose first
  // occurrence is the anchor itself, and to rules without DTSTART, for which it is just that.
  // kAfterCompletion has the anchor as its only occurrence known in advance; kManual, kStartup and
  // kContinuous have none.
  Instant Next(Instant after, const Zone& zone, Instant anchor) const;

  // Latest occurrence in (after, until], or kNever when there is none.
  Instant Last(Instant after, Instant until, const Zone& zone, Instant anchor) const;

  // Number of occurrences in (after, until], counted at most to `limit`. Constant time for
  // intervals below a day, proportional to the result for the others.
  std::int64_t Count(Instant after, Instant until, const Zone& zone, Instant anchor,
                     std::int64_t limit) const;

  // Whether its occurrences are known without looking at runs: cron, intervals, rules, 'at'.
  bool HasFixedTimes() const;

  // Whether its occurrences are meant as readings of a clock on the wall, else as elapsed time.
  bool MeansWallClock() const;

  // Whether the zone matters to it: not to intervals below a day, to instants, or to what has no
  // times.
  bool NeedsZone() const;

  // For Next and its like: an anchor with which a fixed interval, or a rule without DTSTART and
  // COUNT, also has the occurrences from `from` on that it would have had.
  Instant AnchorBefore(Instant from, const Zone& zone, Instant anchor) const;

  // kAfterCompletion: the start that follows a run which finished then. kNever for other kinds.
  Instant NextAfterCompletion(Instant finished, const Zone& zone) const;

  // Exact English, to read behind "runs ": 'at 09:00 on Monday', 'every 5 minutes'.
  std::string Describe() const;

  friend bool operator==(const Schedule& a, const Schedule& b);

 private:
  explicit Schedule(Kind kind) : kind_(kind) {}
  Schedule(Kind kind, const Interval& interval) : rule_(interval), kind_(kind) {}
  explicit Schedule(const Cron& cron) : rule_(cron), kind_(Kind::kCron) {}
  explicit Schedule(std::shared_ptr<const Rule> rule)
      : rule_(std::move(rule)), kind_(Kind::kRule) {}
  explicit Schedule(const Once& once) : rule_(once), kind_(Kind::kOnce) {}

  static Schedule ParseName(std::string_view name);

  const Cron& cron() const { return *std::get_if<Cron>(&rule_); }
  const Interval& interval() const { return *std::get_if<Interval>(&rule_); }
  const Rule& rule() const { return **std::get_if<std::shared_ptr<const Rule>>(&rule_); }
  const Once& once() const { return *std::get_if<Once>(&rule_); }

  std::variant<std::monostate, Interval, Cron, Once, std::shared_ptr<const Rule>> rule_;
  Kind kind_ = Kind::kManual;
};

// Whether jobs of different names may be due at different times by this text. False for a text that
// is not a schedule.
bool DependsOnName(std::string_view text);

// Whether a cron line is written as for Quartz, with '?' for the day of the month, and has numbers
// for days of the week: there 1 is Sunday, here it is Monday.
bool CountsFromSunday(std::string_view text);

// What the text means for any job: Parse(text).Describe(), but "chosen by the job's name" for 'H'.
// Throws ScheduleError.
std::string DescribeSchedule(std::string_view text);

}  // namespace ratchet::calendar
