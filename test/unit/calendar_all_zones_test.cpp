#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"
#include "calendar_model.h"
#include "calendar_queries.h"
#include "tzif_zone.h"
#include "utc_text.h"

// What holds in every zone that there is, with all that has ever happened to its clock. Each test
// goes through the zones again and again, for RATCHET_PROPERTY_SECONDS (2), but once at least.

namespace ratchet::calendar {
namespace {

// Every zone of the system once: many names mean the same.
const std::vector<std::unique_ptr<TzifZone>>& AllZones() {
  static const auto* zones = [] {
    auto* list = new std::vector<std::unique_ptr<TzifZone>>;
    const std::string root = "/usr/share/zoneinfo/";
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      const std::string name = entry.path().string().substr(root.size());
      // 'right' counts leap seconds, 'posix' is the same again.
      if (entry.is_regular_file() && name.rfind("right/", 0) != 0 && name.rfind("posix/", 0) != 0) {
        names.push_back(name);
      }
    }
    std::sort(names.begin(), names.end());
    std::set<std::string> seen;
    for (const std::string& name : names) {
      std::ifstream file(root + name, std::ios::binary);
      const std::string data((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
      if (data.compare(0, 4, "TZif") == 0 && data.size() > 44 && data[4] >= '2' &&
          seen.insert(data).second) {
        list->push_back(std::make_unique<TzifZone>(name));
      }
    }
    return list;
  }();
  return *zones;
}

// check(zone, random) for all zones, until the time is over.
void ForAllZones(std::uint64_t seed, const std::function<void(const TzifZone&, Random*)>& check) {
  const char* seconds = std::getenv("RATCHET_PROPERTY_SECONDS");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::milliseconds(seconds != nullptr ? std::atoi(seconds) * 1000 : 2000);
  ASSERT_GT(AllZones().size(), 200u);
  Random random(seed);
  do {
    for (const auto& zone : AllZones()) {
      check(*zone, &random);
      if (::testing::Test::HasFailure()) {
        return;
      }
    }
  } while (std::chrono::steady_clock::now() < end);
}

// An instant near a transition, if the zone has any.
Instant RandomInstant(Random* random, const TzifZone& zone) {
  const auto& transitions = zone.transitions();
  const Instant middle = transitions.empty() || random->Chance(10)
                             ? random->Pick(Utc("1850-01-01 00:00"), Utc("2100-01-01 00:00"))
                             : transitions[random->Pick(0, std::ssize(transitions) - 1)].at;
  return middle + random->Pick(-2 * kDay, 2 * kDay);
}

std::string RandomSchedule(Random* random) {
  const auto number = [random](int low, int high) {
    return std::to_string(random->Pick(low, high));
  };
  switch (random->Pick(0, 7)) {
    case 0:
      return number(1, 3) + " days " + number(0, 1500) + " minutes";
    case 1:
      return number(1, 3) + " months " + number(0, 40) + " days";
    case 2:
      return number(600, 90000) + " s";
    case 3:
      return number(0, 59) + ' ' + number(0, 3) + " * * *";
    case 4:
      return number(0, 59) + " */" + number(1, 12) + " * * *";
    case 5:
      return number(0, 59) + ' ' + number(0, 59) + ' ' + number(0, 23) + " * * " + number(0, 7);
    case 6:
      return "H H(0-3) * * *";
    default:
      return RandomCron(random, 30).Text();
  }
}

TEST(AllZones, OccurrencesIncreaseAndAllQueriesAgree) {
  ForAllZones(21, [](const TzifZone& zone, Random* random) {
    const std::string text = RandomSchedule(random);
    Schedule schedule;
    try {
      schedule = Schedule::Parse(text, zone.name());
    } catch (const ScheduleError&) {
      return;  // never runs
    }
    const Instant begin = RandomInstant(random, zone);
    const Instant end = begin + 4 * kDay;
    const Instant anchor = begin - random->Pick(0, 2000 * kDay);
    SCOPED_TRACE(text + " in " + zone.name() + " from " + UtcText(begin));
    const std::vector<Instant> chain = Chain(schedule, begin, end, zone, anchor);
    CheckQueries(random, schedule, chain, begin, end, zone, anchor);
  });
}

// Whether the clock ever shows the reading, or a gap that is bridged is in its place.
bool Exists(Local reading, const TzifZone& zone) {
  const auto& transitions = zone.transitions();
  Instant begin = kMinInstant;
  int offset = zone.OffsetAt(kMinInstant);
  for (std::size_t i = 0; i <= transitions.size(); ++i) {
    const Instant end = i < transitions.size() ? transitions[i].at : kEndInstant;
    const Instant shown = reading - offset * kSecond;
    if (begin <= shown && shown < end) {
      return true;
    }
    if (i < transitions.size()) {
      const Local gap = end + transitions[i].before * kSecond;
      const Local behind = end + transitions[i].after * kSecond;
      if (gap <= reading && reading < behind && behind - gap <= 3 * kHour) {
        return true;
      }
      offset = transitions[i].after;
      begin = end;
    }
  }
  return false;
}

TEST(AllZones, ADailyJobRunsOnceOnEachDayThatExists) {
  int skipped = 0;
  ForAllZones(22, [&skipped](const TzifZone& zone, Random* random) {
    for (int i = 0; i < 5; ++i) {
      const Instant around = RandomInstant(random, zone);
      const auto minute =
          static_cast<int>(random->Chance(50) ? random->Pick(0, 240) : random->Pick(0, 1439));
      const std::int64_t first = DayOfLocal(around) - 10;
      const std::int64_t last = first + 20;
      const Resolution from = Resolve(first * kDay + minute * kMinute, zone);
      const Resolution to = Resolve(last * kDay + minute * kMinute, zone);
      if (from.kind != LocalKind::kUnique || to.kind != LocalKind::kUnique) {
        continue;
      }
      const Schedule schedule = Schedule::Parse(std::to_string(minute % 60) + ' ' +
                                                std::to_string(minute / 60) + " * * *");
      std::int64_t days = 0;
      for (std::int64_t day = first + 1; day <= last; ++day) {
        days += Exists(day * kDay + minute * kMinute, zone) ? 1 : 0;
      }
      skipped += days < last - first ? 1 : 0;
      EXPECT_EQ(schedule.Count(from.first, to.first, zone, 0, 1000), days)
          << schedule.Describe() << " in " << zone.name() << " from " << UtcText(from.first);
    }
  });
  // Days were left out in some places of the Pacific.
  EXPECT_GT(skipped, 0);
}

TEST(AllZones, AJobOfEveryHourKeepsItsDistance) {
  ForAllZones(23, [](const TzifZone& zone, Random* random) {
    const Instant begin = RandomInstant(random, zone);
    const std::int64_t minute = random->Pick(0, 59);
    const Schedule schedule = Schedule::Parse(std::to_string(minute) + " * * * *");
    SCOPED_TRACE(schedule.Describe() + " in " + zone.name() + " from " + UtcText(begin));
    const std::vector<Instant> chain = Chain(schedule, begin, begin + 3 * kDay, zone, 0);
    for (std::size_t i = 0; i < chain.size(); ++i) {
      ASSERT_EQ(TimeOfLocal(LocalAt(chain[i], zone)) % kHour, minute * kMinute);
      if (i == 0) {
        continue;
      }
      // The offset changes by whole hours, or the minute comes sooner or later, once.
      const std::int64_t change =
          LocalAt(chain[i], zone) - LocalAt(chain[i - 1], zone) - (chain[i] - chain[i - 1]);
      if (change % kHour == 0) {
        ASSERT_EQ(chain[i] - chain[i - 1], kHour) << UtcText(chain[i]);
      } else {
        ASSERT_LT(chain[i] - chain[i - 1], 2 * kHour) << UtcText(chain[i]);
      }
    }
  });
}

// The clock times at which it is due, in UTC, within two days.
std::vector<std::string> Due(const char* text, const char* zone_name, const char* after,
                             int count) {
  const TzifZone zone(zone_name);
  const Schedule schedule = Schedule::Parse(text);
  std::vector<std::string> due;
  Instant t = Utc(after);
  for (int i = 0; i < count; ++i) {
    t = schedule.Next(t, zone, 0);
    due.push_back(UtcText(t));
  }
  return due;
}

using Texts = std::vector<std::string>;

TEST(AllZones, WhatHasHappenedToClocks) {
  // The day of 1969-09-30 was there twice from 01:00 on: 24 hours that were repeated.
  EXPECT_EQ(Due("0 12 * * *", "Pacific/Kwajalein", "1969-09-28 12:00", 3),
            (Texts{"1969-09-29 01:00:00", "1969-09-30 01:00:00", "1969-10-02 00:00:00"}));
  EXPECT_EQ(Schedule::Parse("0 * * * *")
                .Count(Utc("1969-09-29 12:59"), Utc("1969-10-01 12:59"),
                       TzifZone("Pacific/Kwajalein"), 0, 100),
            48);
  // 1993-08-21 was left out.
  EXPECT_EQ(Due("0 12 * * *", "Pacific/Kwajalein", "1993-08-20 12:00", 2),
            (Texts{"1993-08-21 00:00:00", "1993-08-22 00:00:00"}));
  EXPECT_EQ(Due("0 12 21 8 *", "Pacific/Kwajalein", "1993-01-01 00:00", 1),
            (Texts{"1994-08-21 00:00:00"}));
  // 2011-12-30 was left out; a day of the week, too.
  EXPECT_EQ(Due("0 12 * * FRI", "Pacific/Apia", "2011-12-20 00:00", 2),
            (Texts{"2011-12-23 22:00:00", "2012-01-05 22:00:00"}));
  // Half an hour.
  EXPECT_EQ(Due("45 1 * * *", "Australia/Lord_Howe", "2026-04-03 20:00", 2),
            (Texts{"2026-04-04 14:45:00", "2026-04-05 15:15:00"}));
  EXPECT_EQ(Due("15 * * * *", "Australia/Lord_Howe", "2026-10-03 14:00", 3),
            (Texts{"2026-10-03 14:45:00", "2026-10-03 16:15:00", "2026-10-03 17:15:00"}));
  // No midnight on 2018-11-04, 23:00 to 24:00 twice on 2019-02-16.
  EXPECT_EQ(Due("0 0 4 11 *", "America/Sao_Paulo", "2018-01-01 00:00", 1),
            (Texts{"2018-11-04 03:00:00"}));
  EXPECT_EQ(Due("30 23 * * *", "America/Sao_Paulo", "2019-02-16 12:00", 2),
            (Texts{"2019-02-17 01:30:00", "2019-02-18 02:30:00"}));
  // Summer time ends for Ramadan, and begins again.
  EXPECT_EQ(Due("30 2 * * *", "Africa/Casablanca", "2026-02-14 12:00", 2),
            (Texts{"2026-02-15 01:30:00", "2026-02-16 02:30:00"}));
  EXPECT_EQ(Due("30 2 * * *", "Africa/Casablanca", "2026-03-21 12:00", 2),
            (Texts{"2026-03-22 02:00:00", "2026-03-23 01:30:00"}));
  EXPECT_EQ(Due("30 2 * * *", "America/New_York", "2026-03-07 12:00", 2),
            (Texts{"2026-03-08 07:00:00", "2026-03-09 06:30:00"}));
  EXPECT_EQ(Due("30 1 * * *", "America/New_York", "2026-10-31 12:00", 2),
            (Texts{"2026-11-01 05:30:00", "2026-11-02 06:30:00"}));
  EXPECT_EQ(Due("30 */1 * * *", "America/New_York", "2026-11-01 05:00", 3),
            (Texts{"2026-11-01 05:30:00", "2026-11-01 06:30:00", "2026-11-01 07:30:00"}));
  EXPECT_EQ(Due("30 2 * * *", "Europe/Berlin", "2027-03-27 12:00", 2),
            (Texts{"2027-03-28 01:00:00", "2027-03-29 00:30:00"}));
}

}  // namespace
}  // namespace ratchet::calendar
