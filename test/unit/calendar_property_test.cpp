#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"
#include "calendar_model.h"
#include "calendar_queries.h"
#include "tzif_zone.h"
#include "utc_text.h"

// Random schedules against the model, and every query against the chain of all occurrences.

namespace ratchet::calendar {
namespace {

std::string Explain(const std::vector<Instant>& got, const std::vector<Instant>& expected) {
  const auto [g, e] = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
  return "got " + (g == got.end() ? "nothing" : UtcText(*g)) + ", expected " +
         (e == expected.end() ? "nothing" : UtcText(*e));
}

void CheckCron(std::uint64_t seed, int star_percent, int rounds) {
  Random random(seed);
  int runs = 0;
  for (const auto& zone : Zones()) {
    for (int round = 0; round < rounds; ++round) {
      const Window window = RandomWindow(&random, *zone, 6);
      for (int i = 0; i < 10; ++i) {
        const ModelCron model = RandomCron(&random, star_percent);
        SCOPED_TRACE(model.Text() + " in " + zone->name() + " from " + UtcText(window.begin));
        Schedule schedule;
        try {
          schedule = Schedule::Parse(model.Text());
        } catch (const ScheduleError& error) {
          ASSERT_NE(std::string(error.what()).find("never runs"), std::string::npos)
              << error.what();
          continue;
        }
        const std::vector<Instant> expected = CronRuns(window, model);
        const std::vector<Instant> chain =
            Chain(schedule, window.begin - 1, window.last(), *zone, 0);
        ASSERT_EQ(chain, expected) << Explain(chain, expected);
        CheckQueries(&random, schedule, chain, window.begin - 1, window.last(), *zone, 0);
        runs += static_cast<int>(chain.size());
        if (::testing::Test::HasFatalFailure()) {
          return;
        }
      }
    }
  }
  // The model would agree about nothing, too.
  EXPECT_GT(runs, 1000);
}

TEST(CronProperty, WallClockSchedulesAgreeWithAMinuteByMinuteModel) { CheckCron(1, 0, 3); }

TEST(CronProperty, ElapsedSchedulesAgreeWithAMinuteByMinuteModel) { CheckCron(2, 60, 3); }

TEST(CronProperty, DatesAgreeWithADayByDayModelOver90Years) {
  Random random(3);
  const FixedZone utc(0);
  const Instant begin = Utc("1999-12-31 23:59");
  const Instant end = Utc("2089-12-31 23:59");
  for (int i = 0; i < 150; ++i) {
    ModelCron model = RandomCron(&random, 0);
    model.minute.text = "30";
    model.hour.text = "5";
    model.month = RandomField(&random, 1, 12, 20);
    std::vector<Instant> expected;
    for (std::int64_t day = 0; day * kDay < end; ++day) {
      if (model.MatchesDate(day)) {
        expected.push_back(day * kDay + 5 * kHour + 30 * kMinute);
      }
    }
    SCOPED_TRACE(model.Text());
    Schedule schedule;
    try {
      schedule = Schedule::Parse(model.Text());
    } catch (const ScheduleError& error) {
      ASSERT_TRUE(expected.empty()) << error.what();
      continue;
    }
    const std::vector<Instant> chain = Chain(schedule, begin, end, utc, 0);
    ASSERT_EQ(chain, expected) << Explain(chain, expected);
    CheckQueries(&random, schedule, chain, begin, end, utc, 0);
  }
}

// Elapsed schedules that have to look far, across many changes of the offset.
TEST(CronProperty, LastIsTheInverseOfNextOverManyYears) {
  Random random(4);
  for (const auto& zone : Zones()) {
    for (const char* text : {"*/30 2 29 2 *", "15 */6 * 3 SUN#5", "0 12 29 2 1/7", "30 2 L 10 ?",
                             "* 0 31 12 FRI", "*/20 */20 */15 2,9 */3"}) {
      const Schedule schedule = Schedule::Parse(text);
      const Instant after = random.Pick(Utc("1950-01-01 00:00"), Utc("2040-01-01 00:00"));
      const Instant next = schedule.Next(after, *zone, 0);
      const Instant second = schedule.Next(next, *zone, 0);
      SCOPED_TRACE(std::string(text) + " in " + zone->name() + " after " + UtcText(after));
      ASSERT_LT(second, kNever);
      ASSERT_EQ(schedule.Last(after, next, *zone, 0), next);
      ASSERT_EQ(schedule.Last(after, next - 1, *zone, 0), kNever);
      ASSERT_EQ(schedule.Last(after, second - 1, *zone, 0), next);
      ASSERT_EQ(schedule.Last(kMinInstant, second, *zone, 0), second);
      ASSERT_EQ(schedule.Next(random.Pick(next, second - 1), *zone, 0), second);
      ASSERT_EQ(schedule.Last(after, random.Pick(next, second - 1), *zone, 0), next);
    }
  }
}

// Second by second around changes of the offset, also those before 1980.
TEST(CronProperty, SecondsAroundTransitions) {
  Random random(5);
  const Schedule wall = Schedule::Parse("0/7 0-59 0-23 * * *");
  const Schedule elapsed = Schedule::Parse("0/7 * * * * *");
  for (const auto& zone : Zones()) {
    if (zone->transitions().empty()) {
      continue;
    }
    const auto pick = random.Pick(0, std::ssize(zone->transitions()) - 1);
    const Instant change = zone->transitions()[pick].at;
    const Instant begin = change - 2 * kHour;
    const Instant end = change + 2 * kHour;
    SCOPED_TRACE(zone->name() + " at " + UtcText(change));
    std::vector<Instant> expected;
    std::vector<Instant> expected_elapsed;
    Local reached = LocalAt(begin - 27 * kHour, *zone);
    for (Instant t = begin - 27 * kHour; t < begin; t += kSecond) {
      reached = std::max(reached, LocalAt(t, *zone));
    }
    for (Instant t = begin; t <= end; t += kSecond) {
      const Local now = LocalAt(t, *zone);
      const auto is_seventh = [](Local local) {
        return TimeOfLocal(local) / kSecond % 60 % 7 == 0;
      };
      const bool matches = is_seventh(now);
      if (matches) {
        expected_elapsed.push_back(t);
      }
      if (now > reached) {
        bool due = matches;
        const bool bridged = now - reached - kSecond <= 3 * kHour;
        for (Local over = reached + kSecond; bridged && over < now; over += kSecond) {
          due = due || is_seventh(over);
        }
        if (due) {
          expected.push_back(t);
        }
        reached = now;
      }
    }
    const std::vector<Instant> chain = Chain(wall, begin - 1, end, *zone, 0);
    ASSERT_EQ(chain, expected) << Explain(chain, expected);
    const std::vector<Instant> second = Chain(elapsed, begin - 1, end, *zone, 0);
    ASSERT_EQ(second, expected_elapsed) << Explain(second, expected_elapsed);
    CheckQueries(&random, wall, chain, begin - 1, end, *zone, 0);
    CheckQueries(&random, elapsed, second, begin - 1, end, *zone, 0);
  }
}

TEST(IntervalProperty, CalendarIntervalsAgreeWithAMinuteByMinuteModel) {
  Random random(6);
  int runs = 0;
  for (const auto& zone : Zones()) {
    for (int round = 0; round < 3; ++round) {
      const Window window = RandomWindow(&random, *zone, 6);
      for (int i = 0; i < 8; ++i) {
        const std::int64_t months = random.Chance(30) ? random.Pick(1, 3) : 0;
        const std::int64_t days = random.Pick(months == 0 ? 1 : 0, 2);
        const std::int64_t minutes = random.Chance(30) ? random.Pick(1, 1439) : 0;
        const std::string text = std::to_string(months) + " months " + std::to_string(days) +
                                 " days " + std::to_string(minutes) + " min";
        const Instant anchor = window.begin - random.Pick(0, 3 * 1440 + (i % 2) * 500000) * kMinute;
        const Schedule schedule = Schedule::Parse(text);
        SCOPED_TRACE(text + " in " + zone->name() + " from " + UtcText(anchor));
        // All readings up to the window's end, one after the other.
        const Local first = LocalAt(anchor, *zone);
        const CivilDate date = CivilFromDays(DayOfLocal(first));
        std::vector<Local> readings;
        for (std::int64_t n = 1; readings.empty() || readings.back() < window.last() + 2 * kDay;
             ++n) {
          readings.push_back((DaysFromCivil(AddMonths(date, n * months)) + n * days) * kDay +
                             TimeOfLocal(first) + n * minutes * kMinute);
        }
        std::vector<Instant> expected = WallClockRuns(window, [&readings](Local local) {
          return std::binary_search(readings.begin(), readings.end(), local);
        });
        if (anchor == window.begin) {
          expected.insert(expected.begin(), anchor);
        }
        const std::vector<Instant> chain =
            Chain(schedule, window.begin - 1, window.last(), *zone, anchor);
        ASSERT_EQ(chain, expected) << Explain(chain, expected);
        CheckQueries(&random, schedule, chain, window.begin - 1, window.last(), *zone, anchor);
        runs += static_cast<int>(chain.size());
      }
    }
  }
  EXPECT_GT(runs, 1000);
}

TEST(IntervalProperty, ElapsedIntervalsAreEvenlySpaced) {
  Random random(7);
  for (int i = 0; i < 500; ++i) {
    const TzifZone& zone = *Zones()[random.Pick(0, std::ssize(Zones()) - 1)];
    const std::int64_t millis = random.Pick(1, random.Chance(50) ? 5000 : 90000000);
    const Schedule schedule = Schedule::Parse(std::to_string(millis) + " ms");
    const Instant anchor = random.Pick(Utc("1900-01-01 00:00"), Utc("2100-01-01 00:00"));
    const Instant begin = anchor + random.Pick(-3, 100) * millis * kMillisecond;
    const Instant end = begin + 50 * millis * kMillisecond;
    SCOPED_TRACE(std::to_string(millis) + " ms from " + UtcText(anchor));
    const std::vector<Instant> chain = Chain(schedule, begin, end, zone, anchor);
    for (const Instant t : chain) {
      ASSERT_GE(t, anchor);
      ASSERT_EQ((t - anchor) % (millis * kMillisecond), 0);
    }
    ASSERT_EQ(std::ssize(chain), begin < anchor ? 50 - (anchor - begin) / (millis * 1000) + 1 : 50);
    CheckQueries(&random, schedule, chain, begin, end, zone, anchor);
  }
}

// Also with a scheduler's worst zone the next occurrence is computed, not searched minute by
// minute: that would be four million steps here.
TEST(CronProperty, EightYearsAwayIsNotFar) {
  const TzifZone berlin("Europe/Berlin");
  const std::clock_t start = std::clock();
  for (int i = 0; i < 1000; ++i) {
    for (const char* text : {"30 2 29 2 *", "*/30 2 29 2 *"}) {
      const Schedule schedule = Schedule::Parse(text);
      const Instant next = schedule.Next(Utc("2096-03-01 00:00") + i, berlin, 0);
      ASSERT_EQ(CivilFromDays(DayOfLocal(next)).year, 2104);
      ASSERT_EQ(schedule.Last(0, next - 1, berlin, 0) / kDay, Utc("2096-02-29 00:00") / kDay);
    }
  }
  EXPECT_LT(std::clock() - start, 2 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace ratchet::calendar
