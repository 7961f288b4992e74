#include "calendar/schedule.h"

#include <utility>
#include <vector>

#include "calendar/parse.h"
#include "calendar/spoken_time.h"
#include "calendar/text.h"
#include "calendar/wall_clock.h"

namespace ratchet::calendar {

static_assert(sizeof(Schedule) <= 64);

namespace {

constexpr char kFormsHint[] =
    "Write an interval (\"5 minutes\", \"5 minutes after completion\"), a cron line "
    "(\"0 9 * * MON-FRI\"), a rule (\"RRULE:FREQ=DAILY;BYHOUR=9\"), a point in time (\"at "
    "2027-01-01 "
    "00:00\"), or one of @hourly, @daily, @weekly, @monthly, @yearly, @startup, @continuous and "
    "@manual.";

// Removes 'after completion' from the end of `text`.
bool TakeAfterCompletion(std::string_view* text) {
  std::string_view rest = *text;
  for (const std::string_view word : {std::string_view("completion"), std::string_view("after")}) {
    if (rest.size() <= word.size()) {
      return false;
    }
    const std::size_t length = rest.size() - word.size();
    if (!EqualsIgnoringCase(rest.substr(length), word) || !IsSpace(rest[length - 1])) {
      return false;
    }
    rest = Trim(rest.substr(0, length));
  }
  *text = rest;
  return true;
}

// Whether a cron field begins with 'H'.
bool IsHash(std::string_view word) {
  return !word.empty() && ToLower(word.front()) == 'h' &&
         (word.size() == 1 || std::string_view("(/,").find(word[1]) != std::string_view::npos);
}

// '30,H'
bool EndsInHash(std::string_view word) {
  return word.size() > 1 && ToLower(word.back()) == 'h' && word[word.size() - 2] == ',';
}

// Whether to read `text` as a cron line. It decides which error a wrong text gets, and keeps
// '5 * * * *' from being taken for five seconds and '1 hour 30 min 5 sec' for six fields.
bool LooksLikeCron(std::string_view text) {
  if (text.find('*') != std::string_view::npos) {
    return true;
  }
  std::string_view rest = text;
  std::string_view words[6];
  int count = 0;
  for (; count < 6 && !rest.empty(); ++count) {
    words[count] = TakeWord(&rest);
  }
  if (!rest.empty() || count < 5) {
    return false;
  }
  const std::string_view first = words[0];
  const std::string_view second = words[1];
  if (IsHash(first) || EndsInHash(first)) {
    return true;
  }
  // '10s' and '01:30' begin an interval. Neither of the first two fields knows names.
  if (!IsDigit(first.front()) || IsLetter(first.back()) ||
      first.find(':') != std::string_view::npos) {
    return false;
  }
  // 'H' is a hashed hour in '0 H 1 1 1' and an hour in '2 H 1 min 5 s'.
  if (EqualsIgnoringCase(second, "H")) {
    return !IsIntervalUnit(words[3]);
  }
  if (IsHash(second)) {
    return true;
  }
  return !IsIntervalUnit(second) &&
         !(second.size() > 1 && IsLetter(second.front()) && IsLetter(second.back()));
}

// Other schedulers take the zone from the line.
void RefuseZone(std::string_view whole) {
  for (const std::string_view variable : {std::string_view("CRON_TZ="), std::string_view("TZ=")}) {
    if (!StartsWithIgnoringCase(whole, variable)) {
      continue;
    }
    std::string_view rest = whole;
    const std::string word(TakeWord(&rest));
    const std::string zone = word.substr(variable.size());
    throw ScheduleError("schedule " + Quote(whole) + " begins with a time zone",
                        "The zone of a schedule is the job's: leave " + Quote(word) +
                            " out and set time_zone" +
                            (zone.empty() ? "." : " => " + Quote(zone) + "."));
  }
  const std::string_view zone = ZoneAtEnd(whole);
  if (!zone.empty() && LooksLikeCron(whole)) {
    throw ScheduleError("schedule " + Quote(whole) + " ends with a time zone",
                        "The zone of a schedule is the job's: leave it out and set time_zone => " +
                            Quote(zone) + ".");
  }
}

// What is said in other ways is not guessed at, and answered with what may be meant.
void RefuseWords(std::string_view whole) {
  const std::string cron = CronOfWords(whole);
  if (!cron.empty()) {
    throw ScheduleError("invalid schedule " + Quote(whole),
                        "Perhaps you mean " + Quote(cron) + ".");
  }
}

Instant Clamped(Instant t) { return t >= kEndInstant ? kEndInstant - 1 : ClampInstant(t); }

Instant DueOnce(const Once& once, const Zone& zone) {
  const Instant due = once.is_instant ? once.time : DueAt(once.time, zone);
  return due < kEndInstant ? due : kNever;
}

}  // namespace

ScheduleError::ScheduleError(const std::string& message, std::string hint)
    : std::runtime_error(message), hint_(std::move(hint)) {}

bool operator==(const Schedule& a, const Schedule& b) {
  if (a.kind_ != Kind::kRule || b.kind_ != Kind::kRule) {
    return a.kind_ == b.kind_ && a.rule_ == b.rule_;
  }
  return a.rule().text() == b.rule().text();
}

Schedule Schedule::Parse(std::string_view text, std::string_view job_name) {
  if (text.size() > kMaxScheduleLength) {
    throw ScheduleError("schedule " + Quote(text) + " is too long",
                        "A schedule has at most " + std::to_string(kMaxScheduleLength) + " bytes.");
  }
  const std::string_view whole = Trim(text);
  if (whole.empty()) {
    throw ScheduleError("schedule is empty", kFormsHint);
  }
  if (whole.front() == '@') {
    return ParseName(whole);
  }
  RefuseZone(whole);
  RefuseWords(whole);
  if (IsCalendarRule(whole)) {
    return Schedule(ParseRule(whole));
  }
  std::string_view rest = whole;
  const std::string_view word = TakeWord(&rest);
  if (EqualsIgnoringCase(word, "at")) {
    return Schedule(ParseOnce(rest, whole));
  }
  const bool every = EqualsIgnoringCase(word, "every");
  if (!every) {
    rest = whole;
  }
  const bool after_completion = TakeAfterCompletion(&rest);
  if (!every && !after_completion && LooksLikeCron(rest)) {
    return Schedule(ParseCron(rest, job_name));
  }
  const char first = rest.empty() ? ' ' : rest.front();
  if (!every && !after_completion && !IsDigit(first) && first != '+' && first != '-' &&
      first != '.') {
    throw ScheduleError("invalid schedule " + Quote(whole), kFormsHint);
  }
  return Schedule(after_completion ? Kind::kAfterCompletion : Kind::kInterval,
                  ParseInterval(rest, whole, every));
}

bool DependsOnName(std::string_view text) {
  if (text.find_first_of("hH") == std::string_view::npos || text.size() > kMaxScheduleLength ||
      !LooksLikeCron(Trim(text))) {
    return false;
  }
  std::vector<HashedItem> hashed;
  try {
    ParseHashedCron(Trim(text), &hashed);
  } catch (const ScheduleError&) {
    return false;
  }
  return !hashed.empty();
}

Schedule Schedule::ParseName(std::string_view name) {
  if (EqualsIgnoringCase(name, "@manual")) {
    return Schedule(Kind::kManual);
  }
  if (EqualsIgnoringCase(name, "@startup") || EqualsIgnoringCase(name, "@reboot")) {
    return Schedule(Kind::kStartup);
  }
  if (EqualsIgnoringCase(name, "@continuous")) {
    return Schedule(Kind::kContinuous);
  }
  struct Macro {
    const char* name;
    const char* cron;
  };
  static constexpr Macro kMacros[] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                                      {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                                      {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                                      {"@annually", "0 0 1 1 *"}};
  for (const Macro& macro : kMacros) {
    if (EqualsIgnoringCase(name, macro.name)) {
      return Schedule(ParseCron(macro.cron, {}));
    }
  }
  throw ScheduleError("unknown schedule " + Quote(name), kFormsHint);
}

Instant Schedule::Next(Instant after, const Zone& zone, Instant anchor) const {
  if (after >= kEndInstant - 1) {
    return kNever;
  }
  after = ClampInstant(after);
  switch (kind_) {
    case Kind::kInterval:
      return anchor >= kEndInstant ? kNever
                                   : NextOnGrid(interval(), after, zone, ClampInstant(anchor));
    case Kind::kAfterCompletion:
      return anchor > after && anchor < kEndInstant ? anchor : kNever;
    case Kind::kCron:
      return NextOfCron(cron(), after, zone);
    case Kind::kRule:
      return anchor >= kEndInstant ? kNever : rule().Next(after, zone, ClampInstant(anchor));
    case Kind::kOnce: {
      const Instant due = DueOnce(once(), zone);
      return due > after ? due : kNever;
    }
    case Kind::kManual:
    case Kind::kStartup:
    case Kind::kContinuous:
      break;
  }
  return kNever;
}

Instant Schedule::Last(Instant after, Instant until, const Zone& zone, Instant anchor) const {
  after = Clamped(after);
  until = Clamped(until);
  if (until <= after) {
    return kNever;
  }
  switch (kind_) {
    case Kind::kInterval:
      return anchor >= kEndInstant
                 ? kNever
                 : LastOnGrid(interval(), after, until, zone, ClampInstant(anchor));
    case Kind::kCron:
      return LastOfCron(cron(), after, until, zone);
    case Kind::kRule:
      return anchor >= kEndInstant ? kNever : rule().Last(after, until, zone, ClampInstant(anchor));
    case Kind::kAfterCompletion:
    case Kind::kOnce:
    case Kind::kManual:
    case Kind::kStartup:
    case Kind::kContinuous:
      break;
  }
  // At most one occurrence: if there is one in the range, it is the latest.
  const Instant only = Next(after, zone, anchor);
  return only <= until ? only : kNever;
}

std::int64_t Schedule::Count(Instant after, Instant until, const Zone& zone, Instant anchor,
                             std::int64_t limit) const {
  after = Clamped(after);
  until = Clamped(until);
  if (limit <= 0) {
    return 0;
  }
  if (kind_ == Kind::kInterval && interval().IsElapsed()) {
    if (anchor >= kEndInstant) {
      return 0;
    }
    const std::int64_t count = CountElapsed(interval(), after, until, ClampInstant(anchor));
    return count < limit ? count : limit;
  }
  std::int64_t count = 0;
  for (Instant t = Next(after, zone, anchor); t <= until && count < limit;
       t = Next(t, zone, anchor)) {
    ++count;
  }
  return count;
}

bool Schedule::HasFixedTimes() const {
  switch (kind_) {
    case Kind::kInterval:
    case Kind::kCron:
    case Kind::kRule:
    case Kind::kOnce:
      return true;
    case Kind::kAfterCompletion:
    case Kind::kManual:
    case Kind::kStartup:
    case Kind::kContinuous:
      break;
  }
  return false;
}

bool Schedule::MeansWallClock() const {
  switch (kind_) {
    case Kind::kInterval:
    case Kind::kAfterCompletion:
      return !interval().IsElapsed();
    case Kind::kCron:
      return !cron().elapsed;
    case Kind::kOnce:
      return !once().is_instant;
    case Kind::kRule:
      return true;
    case Kind::kManual:
    case Kind::kStartup:
    case Kind::kContinuous:
      break;
  }
  return false;
}

bool Schedule::NeedsZone() const {
  switch (kind_) {
    case Kind::kInterval:
    case Kind::kAfterCompletion:
      return !interval().IsElapsed();
    case Kind::kCron:
      return true;
    case Kind::kOnce:
      return !once().is_instant;
    case Kind::kRule:
      return !rule().text().in_utc;
    case Kind::kManual:
    case Kind::kStartup:
    case Kind::kContinuous:
      break;
  }
  return false;
}

bool CountsFromSunday(std::string_view text) {
  std::string_view fields[7];
  int count = 0;
  for (std::string_view rest = Trim(text); !rest.empty() && count < 7; ++count) {
    fields[count] = TakeWord(&rest);
  }
  if ((count != 5 && count != 6) || fields[count - 3] != "?") {
    return false;
  }
  const std::string_view weekdays = fields[count - 1];
  for (std::size_t i = 0; i < weekdays.size(); ++i) {
    const char before = i == 0 ? ',' : weekdays[i - 1];
    if (IsDigit(weekdays[i]) && before != '#' && before != '/' && !IsDigit(before)) {
      return true;
    }
  }
  return false;
}

Instant Schedule::AnchorBefore(Instant from, const Zone& zone, Instant anchor) const {
  if (kind_ == Kind::kRule && anchor < kEndInstant) {
    return rule().AnchorBefore(Clamped(from), zone, ClampInstant(anchor));
  }
  return kind_ == Kind::kInterval && anchor < kEndInstant
             ? EarlierAnchor(interval(), ClampInstant(anchor), Clamped(from), zone)
             : anchor;
}

Instant Schedule::NextAfterCompletion(Instant finished, const Zone& zone) const {
  if (kind_ != Kind::kAfterCompletion || finished >= kEndInstant) {
    return kNever;
  }
  return AddInterval(interval(), ClampInstant(finished), zone);
}

}  // namespace ratchet::calendar
