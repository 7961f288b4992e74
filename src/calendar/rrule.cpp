#include "calendar/rrule.h"

#include <algorithm>
#include <utility>

#include "calendar/rrule_course.h"
#include "calendar/schedule.h"
#include "calendar/steps_back.h"
#include "calendar/text.h"
#include "calendar/wall_clock.h"

namespace ratchet::calendar {

namespace {

// The readings of a rule but those that EXDATE leaves out, as wall_clock.h wants them.
struct RuleReadings {
  const RuleCourse& course;
  const RuleText& text;
  Local last;  // none is later

  // The end of what is left out at `reading`, or `reading` itself.
  Local BehindLeftOut(Local reading) const {
    for (const RuleTime& out : text.left_out) {
      if (out.kind == RuleTime::Kind::kReading && out.time == reading) {
        return reading + kSecond;
      }
      if (out.kind == RuleTime::Kind::kDate && DayOfLocal(out.time) == DayOfLocal(reading)) {
        return out.time + kDay;
      }
    }
    return reading;
  }

  bool AtOrAfter(Local local, Local* reading) const {
    std::int64_t second = -FloorDiv(-local, kSecond);
    while (course.First(second, &second)) {
      *reading = second * kSecond;
      const Local behind = BehindLeftOut(*reading);
      if (behind == *reading) {
        return *reading <= last;
      }
      second = behind / kSecond;
    }
    return false;
  }

  bool AtOrBefore(Local local, Local* reading) const {
    std::int64_t second = FloorDiv(std::min(local, last), kSecond);
    while (course.Last(second, &second)) {
      *reading = second * kSecond;
      const Local behind = BehindLeftOut(*reading);
      if (behind == *reading) {
        return true;
      }
      second = behind - *reading == kSecond ? second - 1 : (behind - kDay) / kSecond - 1;
    }
    return false;
  }
};

bool IsLeftOut(const RuleText& text, Instant t) {
  return std::any_of(text.left_out.begin(), text.left_out.end(), [t](const RuleTime& out) {
    return out.kind == RuleTime::Kind::kInstant && out.time == t;
  });
}

Local LastReadingOf(const RuleText& text, const Zone& clock) {
  return text.until && text.until->kind == RuleTime::Kind::kInstant
             ? FirstReadingAfter(text.until->time, clock) - 1
             : kLastSearchedDay * kDay;
}

// When an RDATE is due, kNever when EXDATE leaves it out.
Instant DueOfAdded(const RuleReadings& readings, const RuleTime& added, const Zone& clock) {
  const bool is_instant = added.kind == RuleTime::Kind::kInstant;
  const Local reading = is_instant ? LocalAt(added.time, clock) : added.time;
  if (readings.BehindLeftOut(reading) != reading) {
    return kNever;
  }
  const Instant due = is_instant ? added.time : DueAt(reading, clock);
  return IsLeftOut(readings.text, due) ? kNever : due;
}

// The first second at which a clock shows a full one.
std::int64_t StartOf(const RuleText& text, const Zone& clock, Instant anchor) {
  const Local local = text.start ? *text.start : LocalAt(anchor, clock);
  return -FloorDiv(-local, kSecond);
}

// The dates of the rule depend on DTSTART.
bool LeavesDatesOpen(const RuleText& text) {
  const DateParts& dates = text.dates;
  if (!dates.weekdays.empty() || (dates.days | dates.days_from_end) != 0) {
    return false;
  }
  return text.frequency == Frequency::kWeekly || text.frequency == Frequency::kMonthly ||
         (text.frequency == Frequency::kYearly && dates.year_days.empty());
}

[[noreturn]] void Never(std::string_view whole, const char* hint) {
  throw ScheduleError("schedule " + Quote(whole) + " never runs", hint);
}

}  // namespace

Rule::Rule(RuleText text, std::string_view whole) : text_(std::move(text)) {
  RequireOccurrence(whole);
}

Rule::~Rule() = default;

// What depends on when the job is scheduled is found out when it is.
void Rule::RequireOccurrence(std::string_view whole) const {
  if (!text_.added.empty()) {
    return;
  }
  if (!text_.start) {
    if (LeavesDatesOpen(text_)) {
      return;
    }
    RuleText simple = text_;
    simple.interval = 1;
    simple.count = 0;
    simple.until.reset();
    std::int64_t second = DaysFromCivil({2001, 1, 1}) * kDay / kSecond;
    if (!RuleCourse(simple, second, nullptr).First(second, &second)) {
      Never(whole, "There is no time at which all parts of its RRULE match.");
    }
    return;
  }
  const FixedZone utc(0);
  const RuleCourse& course = CourseFrom(utc, 0);
  std::int64_t second = 0;
  if (text_.until && text_.until->time + 2 * kDay < *text_.start) {
    Never(whole, "Its UNTIL is before its DTSTART.");
  }
  if (!course.First(course.start(), &second)) {
    Never(whole, "There is no time from DTSTART on at which all parts of its RRULE match.");
  }
  Local reading = 0;
  const RuleReadings readings{course, text_, kLastSearchedDay * kDay};
  if (!readings.AtOrAfter(course.start() * kSecond, &reading)) {
    Never(whole, "Its EXDATE leaves out every occurrence.");
  }
}

const RuleCourse& Rule::CourseFrom(const Zone& zone, Instant anchor) const {
  const std::int64_t start = StartOf(text_, zone, anchor);
  if (course_ == nullptr || course_->start() != start) {
    course_ = std::make_unique<RuleCourse>(text_, start, course_.get());
  }
  return *course_;
}

Instant Rule::Next(Instant after, const Zone& zone, Instant anchor) const {
  const FixedZone utc(0);
  const Zone& clock = text_.in_utc ? utc : zone;
  const RuleReadings readings{CourseFrom(clock, anchor), text_, LastReadingOf(text_, clock)};
  Instant next = after;
  do {
    next = NextOnWallClock(readings, next, clock);
  } while (next != kNever && IsLeftOut(text_, next));
  for (const RuleTime& added : text_.added) {
    const Instant due = DueOfAdded(readings, added, clock);
    if (due > after && due < next) {
      next = due;
    }
  }
  return next;
}

Instant Rule::Last(Instant after, Instant until, const Zone& zone, Instant anchor) const {
  const FixedZone utc(0);
  const Zone& clock = text_.in_utc ? utc : zone;
  const RuleReadings readings{CourseFrom(clock, anchor), text_, LastReadingOf(text_, clock)};
  Instant last = until + 1;
  do {
    last = LastOnWallClock(readings, after, last - 1, clock);
  } while (last != kNever && IsLeftOut(text_, last));
  for (const RuleTime& added : text_.added) {
    const Instant due = DueOfAdded(readings, added, clock);
    if (due > after && due <= until && (last == kNever || due > last)) {
      last = due;
    }
  }
  return last;
}

Instant Rule::AnchorBefore(Instant from, const Zone& zone, Instant anchor) const {
  if (text_.start || text_.count != 0 || from >= anchor || from < kMinInstant) {
    return anchor;
  }
  // After such a time the calendar and the grid of the interval are the same.
  std::uint64_t period = 0;
  const auto interval = static_cast<std::uint64_t>(text_.interval);
  switch (text_.frequency) {
    case Frequency::kSecondly:
      period = interval * kSecond;
      break;
    case Frequency::kMinutely:
      period = interval * kMinute;
      break;
    case Frequency::kHourly:
      period = interval * kHour;
      break;
    case Frequency::kDaily:
      period = interval * kDay;
      break;
    case Frequency::kWeekly:
      period = interval * (7 * kDay);
      break;
    case Frequency::kMonthly:
      period = WholeEras(text_.interval);
      break;
    case Frequency::kYearly:
      period = WholeEras(std::int64_t{12} * text_.interval);
      break;
  }
  const Local local = LocalAt(anchor, zone);
  // A clock shows the reading of the anchor at one instant just then: not in a gap.
  const std::uint64_t most = StepsSinceMin(local, 3, period);
  for (std::uint64_t steps = Distance(from, anchor) / period + kDay / period + 2; steps <= most;
       ++steps) {
    const Resolution at = Resolve(Before(local, steps * period), zone);
    if (at.kind == LocalKind::kUnique && at.first <= from) {
      return at.first;
    }
  }
  return anchor;
}

}  // namespace ratchet::calendar
