// The occurrences of a job over all time: what a backfill runs.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/timeline.h"
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
      const Instant previous = timeline.Previous(back);
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
  EXPECT_EQ(UtcText(timeline.Previous(Utc("2025-03-01 00:00"))), "never");
  EXPECT_EQ(UtcText(timeline.Previous(Utc("2026-01-01 00:00"))), "2025-03-03 00:00:00");
}

TEST(Timeline, SurvivesTheEndsOfTime) {
  const TzifZone berlin("Europe/Berlin");
  for (const char* text : {"1 ms", "1 day", "100 years", "1 month", "0 0 * * *"}) {
    const Schedule schedule = Schedule::Parse(text);
    for (const Instant since : {kMinInstant, Instant{0}, kEndInstant - 1}) {
      for (const Instant from : {INT64_MIN, kMinInstant, Instant{0}, kEndInstant}) {
        const Timeline timeline(schedule, berlin, since, 0, 0, from);
        (void)timeline.Next(kMinInstant);
        (void)timeline.Previous(kEndInstant - 1);
        EXPECT_LE(timeline.Count(kMinInstant, kEndInstant - 1, 5), 5);
      }
    }
  }
}

}  // namespace
}  // namespace ratchet::calendar
