#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "calendar/civil.h"
#include "tzif_zone.h"
#include "utc_text.h"

// Random schedules, and a model of them that knows nothing of the code: it goes through the minutes
// one by one and watches the clock. Sequences are the same on every machine: mt19937_64 is
// specified bit by bit, and Pick() does not use a standard distribution, which is not.

namespace ratchet::calendar {

constexpr const char* kZones[] = {
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "UTC",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Tehran",
    "Asia/Jerusalem",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Asia/Amman",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Caracas",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "America/Nuuk",
    "America/Phoenix",
    "Atlantic/Azores",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
    "Pacific/Kiritimati",
    "Pacific/Honolulu",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Australia/Adelaide",
    "Asia/Colombo",
};

inline const std::vector<std::unique_ptr<TzifZone>>& Zones() {
  static const auto* zones = [] {
    auto* list = new std::vector<std::unique_ptr<TzifZone>>;
    for (const char* name : kZones) {
      list->push_back(std::make_unique<TzifZone>(name));
    }
    return list;
  }();
  return *zones;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::int64_t Pick(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }

 private:
  std::mt19937_64 engine_;
};

// One cron field as text and as the set of its values.
struct ModelField {
  std::string text;
  std::vector<bool> set = std::vector<bool>(64);
  bool star = false;
};

inline ModelField RandomField(Random* random, int low, int high, int star_percent) {
  ModelField field;
  const auto add = [&field](std::int64_t from, std::int64_t to, std::int64_t step) {
    for (; from <= to; from += step) {
      field.set[from] = true;
    }
  };
  if (random->Chance(star_percent)) {
    const std::int64_t step = random->Chance(50) ? 1 : random->Pick(1, (high - low + 1) / 2);
    field.text = step == 1 ? "*" : "*/" + std::to_string(step);
    field.star = true;
    add(low, high, step);
    return field;
  }
  for (std::int64_t items = random->Pick(1, 3); items > 0; --items) {
    const std::int64_t from = random->Pick(low, high);
    const std::int64_t to = random->Pick(from, high);
    const std::int64_t step = random->Pick(1, (high - low + 1) / 2);
    field.text += (field.text.empty() ? "" : ",") + std::to_string(from);
    switch (random->Pick(0, 3)) {
      case 0:
        field.text += '-' + std::to_string(to);
        add(from, to, 1);
        break;
      case 1:
        field.text += '-' + std::to_string(to) + '/' + std::to_string(step);
        add(from, to, step);
        break;
      case 2:
        field.text += '/' + std::to_string(step);
        add(from, high, step);
        break;
      default:
        add(from, from, 1);
    }
  }
  return field;
}

struct ModelCron {
  ModelField minute, hour, day, month, weekday;
  // Of the day fields' special rules one at most, instead of the field.
  enum class Rule { kNone, kLast, kBeforeLast, kLastWorkday, kNearest, kNth, kLastWeekday };
  Rule rule = Rule::kNone;
  int number = 0;
  int ordinal = 0;

  bool IsElapsed() const { return minute.star || hour.star; }

  std::string Text() const {
    return minute.text + ' ' + hour.text + ' ' + day.text + ' ' + month.text + ' ' + weekday.text;
  }

  bool MatchesDate(std::int64_t days) const {
    const CivilDate date = CivilFromDays(days);
    const int on = WeekdayFromDays(days);
    const int length = DaysInMonth(date.year, date.month);
    bool by_day = day.set[date.day];
    bool by_weekday = weekday.set[on];
    switch (rule) {
      case Rule::kNone:
        break;
      case Rule::kLast:
        by_day = date.day == length;
        break;
      case Rule::kBeforeLast:
        by_day = date.day == length - number;
        break;
      case Rule::kLastWorkday:
        // No other working day behind it.
        by_day = IsWorkday(on);
        for (int later = date.day + 1; later <= length; ++later) {
          by_day = by_day && !IsWorkday(WeekdayFromDays(days + later - date.day));
        }
        break;
      case Rule::kNearest:
        by_day = number <= length && date.day == Nearest(days - date.day, length);
        break;
      case Rule::kNth:
        by_weekday = on == number && (date.day - 1) / 7 + 1 == ordinal;
        break;
      case Rule::kLastWeekday:
        by_weekday = on == number && date.day + 7 > length;
        break;
    }
    const bool matches = day.star || weekday.star ? by_day && by_weekday : by_day || by_weekday;
    return month.set[date.month] && matches;
  }

  bool MatchesTime(std::int64_t minute_of_day) const {
    return hour.set[minute_of_day / 60] && minute.set[minute_of_day % 60];
  }

 private:
  static bool IsWorkday(int on) { return on != 0 && on != 6; }

  // The working day at the least distance from `number`; `before` is the day before the first one.
  int Nearest(std::int64_t before, int length) const {
    for (int distance = 0;; ++distance) {
      for (const int candidate : {number - distance, number + distance}) {
        if (candidate >= 1 && candidate <= length &&
            IsWorkday(WeekdayFromDays(before + candidate))) {
          return candidate;
        }
      }
    }
  }
};

inline ModelCron RandomCron(Random* random, int time_star_percent) {
  ModelCron cron;
  cron.minute = RandomField(random, 0, 59, time_star_percent);
  cron.hour = RandomField(random, 0, 23, time_star_percent);
  cron.day = RandomField(random, 1, 31, 70);
  cron.month = RandomField(random, 1, 12, 85);
  cron.weekday = RandomField(random, 0, 6, 70);
  if (random->Chance(30)) {
    cron.rule = static_cast<ModelCron::Rule>(random->Pick(1, 6));
    ModelField* field = cron.rule >= ModelCron::Rule::kNth ? &cron.weekday : &cron.day;
    field->star = false;
    cron.number = static_cast<int>(random->Pick(0, 6));
    cron.ordinal = static_cast<int>(random->Pick(1, 5));
    const std::string number = std::to_string(cron.number);
    switch (cron.rule) {
      case ModelCron::Rule::kLast:
        field->text = "L";
        break;
      case ModelCron::Rule::kBeforeLast:
        cron.number = static_cast<int>(random->Pick(1, 30));
        field->text = "L-" + std::to_string(cron.number);
        break;
      case ModelCron::Rule::kLastWorkday:
        field->text = "LW";
        break;
      case ModelCron::Rule::kNearest:
        cron.number = static_cast<int>(random->Pick(1, 31));
        field->text = std::to_string(cron.number) + "W";
        break;
      case ModelCron::Rule::kNth:
        field->text = number + '#' + std::to_string(cron.ordinal);
        break;
      default:
        field->text = number + 'L';
    }
  }
  return cron;
}

// What the clock of a zone shows in each minute of some days.
struct Window {
  const TzifZone* zone = nullptr;
  Instant begin = 0;
  std::vector<Local> clock;

  Instant at(std::size_t minute) const { return begin + static_cast<Instant>(minute) * kMinute; }
  Instant last() const { return at(clock.size() - 1); }
};

// Half of the windows lie around a change of the offset. Those since 1980: before that, some are
// not at full minutes, which the model cannot see.
inline Window RandomWindow(Random* random, const TzifZone& zone, int days) {
  std::vector<Instant> changes;
  for (const auto& transition : zone.transitions()) {
    if (transition.at > Utc("1980-01-01 00:00") && transition.at < Utc("2060-01-01 00:00")) {
      changes.push_back(transition.at);
    }
  }
  Window window;
  window.zone = &zone;
  Instant middle = random->Pick(Utc("1980-01-10 00:00"), Utc("2060-01-01 00:00"));
  if (!changes.empty() && random->Chance(60)) {
    middle = changes[random->Pick(0, static_cast<std::int64_t>(changes.size()) - 1)];
  }
  window.begin = FloorDiv(middle - random->Pick(1, days - 1) * kDay, kMinute) * kMinute;
  for (int i = 0; i < days * 1440; ++i) {
    window.clock.push_back(LocalAt(window.at(i), zone));
  }
  return window;
}

// The model of wall-clock time: a reading counts when the clock gets there for the first time, and
// those it jumps over count when it lands, unless it jumped over more than three hours.
template <typename Matches>
std::vector<Instant> WallClockRuns(const Window& window, const Matches& matches) {
  std::vector<Instant> runs;
  // The window may begin in a second pass: find out how far the clock had been.
  Local reached = window.clock[0] - kMinute;
  for (Instant t = window.begin - 2 * kDay; t < window.begin; t += kMinute) {
    reached = std::max(reached, LocalAt(t, *window.zone));
  }
  for (std::size_t i = 0; i < window.clock.size(); ++i) {
    const Local now = window.clock[i];
    if (now <= reached) {
      continue;
    }
    bool due = matches(now);
    const Local skipped = now - reached - kMinute;
    for (Local over = reached + kMinute; skipped <= 3 * kHour && over < now; over += kMinute) {
      due = due || matches(over);
    }
    if (due) {
      runs.push_back(window.at(i));
    }
    reached = now;
  }
  return runs;
}

inline std::vector<Instant> CronRuns(const Window& window, const ModelCron& cron) {
  std::vector<signed char> dates(64, -1);
  const std::int64_t base = DayOfLocal(window.clock[0]) - 30;
  const auto matches = [&](Local local) {
    const std::int64_t day = DayOfLocal(local);
    signed char& date = dates.at(day - base);
    if (date < 0) {
      date = cron.MatchesDate(day) ? 1 : 0;
    }
    return date == 1 && cron.MatchesTime(TimeOfLocal(local) / kMinute);
  };
  if (!cron.IsElapsed()) {
    return WallClockRuns(window, matches);
  }
  std::vector<Instant> runs;
  for (std::size_t i = 0; i < window.clock.size(); ++i) {
    if (matches(window.clock[i])) {
      runs.push_back(window.at(i));
    }
  }
  return runs;
}

}  // namespace ratchet::calendar
