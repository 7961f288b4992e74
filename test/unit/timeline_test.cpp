// The occurrences of a job over all time: what a backfill runs.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/day_set.h"
#include "calendar/timeline.h"
#include "calendar_model.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

using Texts = std::vector<std::string>;

// The occurrences in (after, until] of a job that was scheduled at `since`.
Texts Past(const char* schedule_text, const Zone& zone, Instant since, const char* after,
           const char* until) {
  const Schedule schedule = Schedule::Parse(schedule_text);
  const Timeline timeline(schedule, zone, since, 0, 0, Utc(after) + 1);
  Texts texts;
  Instant t = Utc(after);
  for (t = timeline.Next(t); t <= Utc(until); t = timeline.Next(t)) {
    texts.push_back(UtcText(t));
  }
  EXPECT_EQ(timeline.Count(Utc(after), Utc(until), 1000), static_cast<std::int64_t>(texts.size()));
  return texts;
}

TEST(Timeline, ElapsedIntervalsKeepTheirGridBeforeTheyWereScheduled) {
  const FixedZone utc(0);
  EXPECT_EQ(Past("7 hours", utc, Utc("2026-01-02 00:30"), "2026-01-01 00:00", "2026-01-02 10:00"),
            (Texts{"2026-01-01 03:30:00", "2026-01-01 10:30:00", "2026-01-01 17:30:00",
                   "2026-01-02 00:30:00", "2026-01-02 07:30:00"}));
}

TEST(Timeline, DaysKeepTheWallClock) {
  const TzifZone berlin("Europe/Berlin");
  EXPECT_EQ(Past("2 days", berlin, Utc("2024-04-05 10:00"), "2024-03-27 00:00", "2024-04-03 23:00"),
            (Texts{"2024-03-28 11:00:00", "2024-03-30 11:00:00", "2024-04-01 10:00:00",
                   "2024-04-03 10:00:00"}));
  // A grid whose occurrences the change to summer time moves is not anchored at a moved one.
  EXPECT_EQ(Past("1 day", berlin, Utc("2024-04-05 00:30"), "2024-03-29 12:00", "2024-04-01 12:00"),
            (Texts{"2024-03-30 01:30:00", "2024-03-31 01:00:00", "2024-04-01 00:30:00"}));
}

TEST(Timeline, MonthsKeepTheirLastDay) {
  const FixedZone utc(0);
  EXPECT_EQ(Past("1 month", utc, Utc("2026-08-31 05:00"), "2026-01-15 00:00", "2026-05-15 00:00"),
            (Texts{"2026-01-31 05:00:00", "2026-02-28 05:00:00", "2026-03-31 05:00:00",
                   "2026-04-30 05:00:00"}));
  EXPECT_EQ(Past("7 months", utc, Utc("2026-08-31 05:00"), "2024-01-01 00:00", "2026-02-01 00:00"),
            (Texts{"2024-04-30 05:00:00", "2024-11-30 05:00:00", "2025-06-30 05:00:00",
                   "2026-01-31 05:00:00"}));
}

TEST(Timeline, TheGridIsTheSameOnBothSides) {
  const TzifZone berlin("Europe/Berlin");
  for (const char* text :
       {"90 seconds", "7 hours", "3 days", "2 weeks", "5 months", "1 year", "1 day 2 hours"}) {
    const Schedule schedule = Schedule::Parse(text);
    const Instant since = Utc("2025-06-17 13:47:11") + 123456;
    const Timeline timeline(schedule, berlin, since, 0, 0, Utc("1999-01-01 00:00"));
    Instant forward = timeline.Next(since - 1);
    EXPECT_EQ(forward, since) << text;
    for (int i = 0; i < 200; i++) {
      EXPECT_EQ(timeline.Next(forward), schedule.Next(forward, berlin, since)) << text;
      forward = timeline.Next(forward);
    }
    Instant back = since;
    for (int i = 0; i < 20; i++) {
      const Instant previous = timeline.Last(kMinInstant, back - 1);
      ASSERT_LT(previous, back) << text;
      EXPECT_EQ(timeline.Next(previous), back) << text;
      back = previous;
    }
  }
}

TEST(Timeline, HasNoPastWhereTheGridCannotBeTold) {
  const FixedZone utc(0);
  EXPECT_EQ(
      Past("1 month 1 day", utc, Utc("2026-01-31 00:00"), "2020-01-01 00:00", "2026-03-04 00:00"),
      (Texts{"2026-01-31 00:00:00", "2026-03-01 00:00:00"}));
}

TEST(Timeline, StartAndEndBoundIt) {
  const FixedZone utc(0);
  const Schedule schedule = Schedule::Parse("0 0 * * *");
  const Timeline timeline(schedule, utc, Utc("2026-01-01 00:00"), Utc("2025-03-01 00:00"),
                          Utc("2025-03-03 00:00"), Utc("2020-01-01 00:00"));
  EXPECT_EQ(timeline.Count(Utc("2020-01-01 00:00"), Utc("2026-01-01 00:00"), 100), 3);
  EXPECT_EQ(UtcText(timeline.Next(Utc("2020-01-01 00:00"))), "2025-03-01 00:00:00");
  EXPECT_EQ(UtcText(timeline.Next(Utc("2025-03-03 00:00"))), "never");
  EXPECT_EQ(UtcText(timeline.Last(kMinInstant, Utc("2025-03-01 00:00") - 1)), "never");
  EXPECT_EQ(UtcText(timeline.Last(kMinInstant, Utc("2026-01-01 00:00") - 1)),
            "2025-03-03 00:00:00");
}

TEST(Timeline, SurvivesTheEndsOfTime) {
  const TzifZone berlin("Europe/Berlin");
  for (const char* text :
       {"1 ms", "1 day", "100 years", "1 month", "1199 months", "0 0 * * *", "RRULE:FREQ=DAILY"}) {
    const Schedule schedule = Schedule::Parse(text);
    for (const Instant since : {kMinInstant, Instant{0}, kEndInstant - 1}) {
      for (const Instant from : {INT64_MIN, kMinInstant, Instant{0}, kEndInstant}) {
        const Timeline timeline(schedule, berlin, since, 0, 0, from);
        (void)timeline.Next(kMinInstant);
        (void)timeline.Last(kMinInstant, kEndInstant - 2);
        EXPECT_LE(timeline.Count(kMinInstant, kEndInstant - 1, 5), 5);
      }
    }
  }
}

std::int32_t Day(const char* date) {
  return static_cast<std::int32_t>(Utc((std::string(date) + " 00:00").c_str()) / kDay);
}

TEST(DaySet, HoldsDaysInStretches) {
  const FixedZone utc(0);
  const DaySet days({5, 3, 4, 4, -7, INT32_MAX, INT32_MIN, 9});
  for (int day = -10; day < 15; day++) {
    EXPECT_EQ(days.IsLeftOut(day * kDay, utc), day == -7 || (day >= 3 && day <= 5) || day == 9)
        << day;
  }
  EXPECT_EQ(days, DaySet({-7, 3, 4, 5, 9}));
  EXPECT_EQ(days.FirstKept(3 * kDay + 1, utc), 6 * kDay);
  EXPECT_EQ(days.FirstKept(6 * kDay + 1, utc), 6 * kDay + 1);
  EXPECT_EQ(days.FirstLeftOut(6 * kDay + 1, utc), 9 * kDay);
  EXPECT_EQ(days.FirstLeftOut(10 * kDay, utc), kNever);
  EXPECT_EQ(days.LastKept(0, 5 * kDay, utc), 3 * kDay - 1);
  EXPECT_EQ(days.LastKept(3 * kDay - 1, 5 * kDay, utc), kNever);
  EXPECT_EQ(days.LastKept(kMinInstant, 6 * kDay, utc), 6 * kDay);
  EXPECT_TRUE(days.IsLeftOut(-7 * kDay, utc));
  EXPECT_FALSE(days.IsLeftOut(-6 * kDay, utc));
  EXPECT_EQ(days.FirstKept(kNever, utc), kNever);
  EXPECT_FALSE(DaySet().IsLeftOut(0, utc));
  EXPECT_EQ(DaySet().FirstLeftOut(0, utc), kNever);
  EXPECT_EQ(DaySet().FirstKept(5, utc), 5);
  EXPECT_TRUE(DaySet({INT32_MAX, INT32_MIN}).empty());
}

TEST(Timeline, LeavesDaysOut) {
  const TzifZone berlin("Europe/Berlin");
  const DaySet holidays(
      {Day("2026-12-24"), Day("2026-12-25"), Day("2026-12-26"), Day("2027-01-01")});
  const Schedule schedule = Schedule::Parse("30 0 * * MON-FRI");
  const Timeline timeline(schedule, berlin, 0, 0, 0, 0, &holidays);
  Texts texts;
  for (Instant t = timeline.Next(Utc("2026-12-22 12:00")); t < Utc("2027-01-05 12:00");
       t = timeline.Next(t)) {
    texts.push_back(UtcText(t));
  }
  // In UTC, an hour behind.
  EXPECT_EQ(texts, (Texts{"2026-12-22 23:30:00", "2026-12-27 23:30:00", "2026-12-28 23:30:00",
                          "2026-12-29 23:30:00", "2026-12-30 23:30:00", "2027-01-03 23:30:00",
                          "2027-01-04 23:30:00"}));
  EXPECT_EQ(timeline.Count(Utc("2026-12-22 12:00"), Utc("2027-01-05 12:00"), 100), 7);
  EXPECT_EQ(timeline.Count(Utc("2026-12-22 12:00"), Utc("2027-01-05 12:00"), 3), 3);
  EXPECT_EQ(UtcText(timeline.Last(kMinInstant, Utc("2026-12-27 23:30") - 1)),
            "2026-12-22 23:30:00");
  EXPECT_EQ(UtcText(timeline.Last(Utc("2026-12-23 00:00"), Utc("2026-12-27 00:00"))), "never");
  // What is due on a left-out day only, and an 'at' on one.
  std::vector<std::int32_t> christmas;
  for (int year = 2020; year < 2100; year++) {
    christmas.push_back(Day((std::to_string(year) + "-12-25").c_str()));
  }
  const DaySet all_christmas(christmas);
  const Schedule yearly = Schedule::Parse("0 12 25 12 *");
  EXPECT_EQ(
      UtcText(Timeline(yearly, berlin, 0, 0, 0, 0, &all_christmas).Next(Utc("2020-01-01 00:00"))),
      "2100-12-25 11:00:00");
  const Schedule once = Schedule::Parse("at 2026-12-25 12:00");
  EXPECT_EQ(Timeline(once, berlin, 0, 0, 0, 0, &holidays).Next(0), kNever);
}

TEST(Timeline, CountsAcrossLeftOutDaysWithoutGoingThroughTheOccurrences) {
  const FixedZone utc(0);
  std::vector<std::int32_t> mondays;
  for (std::int32_t day = Day("2027-01-04"); day < Day("2047-01-01"); day += 7) {
    mondays.push_back(day);
  }
  const DaySet left_out(mondays);
  const Schedule schedule = Schedule::Parse("1 ms");
  const Timeline timeline(schedule, utc, 0, 0, 0, 0, &left_out);
  const Instant from = Utc("2027-01-01 00:00");
  const Instant to = Utc("2047-01-01 00:00");
  EXPECT_EQ(timeline.Count(from, to, INT64_MAX),
            (to - from) / kMillisecond -
                static_cast<std::int64_t>(mondays.size()) * (kDay / kMillisecond));
}

// Against the schedule's own occurrences, of which some are dropped.
TEST(TimelineProperty, LeftOutDaysAreTheOnlyDifference) {
  Random random(12);
  std::int64_t dropped = 0;
  for (const auto& zone : Zones()) {
    for (int round = 0; round < 12; round++) {
      const Window window = RandomWindow(&random, *zone, 8);
      const std::int64_t first = DayOfLocal(window.clock.front());
      std::vector<std::int32_t> days;
      for (std::int64_t day = first - 3; day < first + 12; day++) {
        if (random.Chance(40)) {
          days.push_back(static_cast<std::int32_t>(day));
        }
      }
      const DaySet left_out(days);
      static constexpr const char* kTexts[] = {"*/20 * * * *", "0 0 * * *",    "7 minutes",
                                               "1 day",        "30 23 * * *",  "0/30 0,1,23 * * *",
                                               "11 hours",     "0 */5 * * 1-5"};
      const Schedule schedule = Schedule::Parse(kTexts[random.Pick(0, 7)]);
      const Instant anchor = window.begin - random.Pick(0, 100 * kDay);
      const Timeline timeline(schedule, *zone, anchor, 0, 0, anchor, &left_out);
      std::vector<Instant> expected;
      for (Instant t = schedule.Next(window.begin - 1, *zone, anchor); t <= window.last();
           t = schedule.Next(t, *zone, anchor)) {
        const bool out =
            std::find(days.begin(), days.end(), DayOfLocal(LocalAt(t, *zone))) != days.end();
        dropped += out ? 1 : 0;
        if (!out) {
          expected.push_back(t);
        }
      }
      SCOPED_TRACE(schedule.Describe() + " in " + zone->name() + " from " + UtcText(window.begin));
      std::vector<Instant> chain;
      for (Instant t = timeline.Next(window.begin - 1); t <= window.last(); t = timeline.Next(t)) {
        chain.push_back(t);
        ASSERT_LE(chain.size(), expected.size());
      }
      ASSERT_EQ(chain, expected);
      for (int i = 0; i < 20; i++) {
        const Instant after = random.Pick(window.begin - 1, window.last());
        const Instant until = random.Pick(after, window.last());
        const auto from = std::upper_bound(expected.begin(), expected.end(), after);
        const auto to = std::upper_bound(from, expected.end(), until);
        ASSERT_EQ(timeline.Count(after, until, 1000000), to - from);
        ASSERT_EQ(UtcText(timeline.Last(after, until)),
                  UtcText(from == to ? kNever : *std::prev(to)));
        if (from != expected.end()) {
          ASSERT_EQ(UtcText(timeline.Next(after)), UtcText(*from));
        }
      }
    }
  }
  EXPECT_GT(dropped, 1000);
}

}  // namespace
}  // namespace ratchet::calendar
