#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

using Runs = std::vector<std::string>;

Runs NextRuns(const char* text, const Zone& zone, Instant after, Instant anchor, int count) {
  const Schedule schedule = Schedule::Parse(text);
  Runs runs;
  Instant t = after;
  for (int i = 0; i < count; ++i) {
    t = schedule.Next(t, zone, anchor);
    runs.push_back(UtcText(t));
  }
  return runs;
}

TEST(Interval, ReadsTheUnitsOfPostgresql) {
  // Spellings of the same interval.
  const std::vector<std::vector<const char*>> groups = {
      {"5 minutes", "5 min", "5 mins", "5m", "5 minute", "every 5 minutes", "00:05", "0:05:00",
       "300 seconds", "300s", "+5 MIN", "Every 5 Minutes", " 5\tminutes ", "4 min 60 sec",
       "300000 ms", "300.000 secs"},
      {"1 hour", "every hour", "1h", "1 hr", "1 hrs", "60 minutes", "01:00:00", "01:00"},
      {"1 hour 30 minutes", "1h30m", "90 min", "01:30", "01:30:00", "1.5 hours", "1 h 30 m 0 s",
       "30 minutes 1 hour", "every 1 hour 30 minutes"},
      {"250 ms", "0.25 s", ".25 seconds", "250 milliseconds", "250 msec", "00:00:00.25",
       "250000 us", "250000 microseconds", "250000 usecs"},
      {"1 day", "1d", "every day", "1.0 day", "1 days"},
      {"2 weeks", "2w", "14 days", "1 week 7 d"},
      {"1 month", "1 mon", "1 mons", "every month", "every mon"},
      {"1 year", "1 yr", "12 months", "1y", "every year"},
      {"1 day 02:00:00", "1 day 2 hours", "every day 2 hours", "1d2h"},
      {"2 days 2 hours", "1 day 26 hours"},
  };
  for (const auto& group : groups) {
    const Schedule first = Schedule::Parse(group[0]);
    EXPECT_EQ(first.kind(), Kind::kInterval);
    for (const char* text : group) {
      EXPECT_EQ(Schedule::Parse(text), first) << text;
    }
  }
  // Hours are elapsed time, days keep the wall clock.
  EXPECT_FALSE(Schedule::Parse("24 hours") == Schedule::Parse("1 day"));
}

TEST(Interval, IsAGridFromTheAnchor) {
  const FixedZone utc(0);
  const Instant anchor = Utc("2027-01-01 00:03:20");
  EXPECT_EQ(NextRuns("5 minutes", utc, anchor - 1, anchor, 3),
            (Runs{"2027-01-01 00:03:20", "2027-01-01 00:08:20", "2027-01-01 00:13:20"}));
  EXPECT_EQ(NextRuns("5 minutes", utc, anchor - 100 * kDay, anchor, 1),
            (Runs{"2027-01-01 00:03:20"}));
  EXPECT_EQ(NextRuns("5 minutes", utc, anchor, anchor, 1), (Runs{"2027-01-01 00:08:20"}));
  EXPECT_EQ(NextRuns("5 minutes", utc, anchor + 7 * kMinute, anchor, 1),
            (Runs{"2027-01-01 00:13:20"}));
  EXPECT_EQ(NextRuns("250 ms", utc, anchor, anchor, 2),
            (Runs{"2027-01-01 00:03:20.250000", "2027-01-01 00:03:20.500000"}));
}

TEST(Interval, BelowADayGoesByElapsedTime) {
  const TzifZone berlin("Europe/Berlin");
  // Summer time begins on 2026-03-29 01:00 UTC.
  EXPECT_EQ(NextRuns("1 hour", berlin, Utc("2026-03-29 00:00"), Utc("2026-03-28 00:30"), 3),
            (Runs{"2026-03-29 00:30:00", "2026-03-29 01:30:00", "2026-03-29 02:30:00"}));
  EXPECT_EQ(NextRuns("24 hours", berlin, Utc("2026-03-28 12:00"), Utc("2026-03-28 11:00"), 2),
            (Runs{"2026-03-29 11:00:00", "2026-03-30 11:00:00"}));
}

TEST(Interval, DaysKeepTheWallClock) {
  const TzifZone berlin("Europe/Berlin");
  EXPECT_EQ(NextRuns("1 day", berlin, Utc("2026-03-28 12:00"), Utc("2026-03-28 11:00"), 2),
            (Runs{"2026-03-29 10:00:00", "2026-03-30 10:00:00"}));
  // 02:30 falls into the gap, and later into the repeated hour.
  EXPECT_EQ(NextRuns("1 day", berlin, Utc("2026-03-28 12:00"), Utc("2026-03-01 01:30"), 2),
            (Runs{"2026-03-29 01:00:00", "2026-03-30 00:30:00"}));
  EXPECT_EQ(NextRuns("1 day", berlin, Utc("2026-10-24 12:00"), Utc("2026-03-01 01:30"), 2),
            (Runs{"2026-10-25 00:30:00", "2026-10-26 01:30:00"}));
  EXPECT_EQ(NextRuns("1 week", berlin, Utc("2026-03-22 12:00"), Utc("2026-03-01 01:30"), 2),
            (Runs{"2026-03-29 01:00:00", "2026-04-05 00:30:00"}));
  // An anchor in the second pass stays what it is.
  EXPECT_EQ(NextRuns("1 day", berlin, Utc("2026-10-25 01:29"), Utc("2026-10-25 01:30"), 2),
            (Runs{"2026-10-25 01:30:00", "2026-10-26 01:30:00"}));
  // Samoa's 2011-12-30 did not happen.
  EXPECT_EQ(NextRuns("1 day", TzifZone("Pacific/Apia"), Utc("2011-12-29 12:00"),
                     Utc("2011-12-28 22:00"), 3),
            (Runs{"2011-12-29 22:00:00", "2011-12-30 22:00:00", "2011-12-31 22:00:00"}));
}

TEST(Interval, MonthsAndYearsDoNotDrift) {
  const FixedZone utc(0);
  EXPECT_EQ(NextRuns("1 month", utc, Utc("2027-01-31 00:00"), Utc("2027-01-31 10:00"), 6),
            (Runs{"2027-01-31 10:00:00", "2027-02-28 10:00:00", "2027-03-31 10:00:00",
                  "2027-04-30 10:00:00", "2027-05-31 10:00:00", "2027-06-30 10:00:00"}));
  EXPECT_EQ(NextRuns("1 month", utc, Utc("2028-02-01 00:00"), Utc("2027-01-31 10:00"), 1),
            (Runs{"2028-02-29 10:00:00"}));
  EXPECT_EQ(NextRuns("1 year", utc, Utc("2027-01-01 00:00"), Utc("2024-02-29 00:00"), 3),
            (Runs{"2027-02-28 00:00:00", "2028-02-29 00:00:00", "2029-02-28 00:00:00"}));
  EXPECT_EQ(NextRuns("1 month 1 day", utc, Utc("2027-02-01 00:00"), Utc("2027-01-31 00:00"), 2),
            (Runs{"2027-03-01 00:00:00", "2027-04-02 00:00:00"}));
}

TEST(Interval, CalendarAndTimePartsTogetherAreMeantOnTheWallClock) {
  const TzifZone berlin("Europe/Berlin");
  EXPECT_EQ(NextRuns("1 day 2 hours", berlin, Utc("2026-03-27 10:00"), Utc("2026-03-27 09:00"), 3),
            (Runs{"2026-03-28 11:00:00", "2026-03-29 12:00:00", "2026-03-30 14:00:00"}));
}

TEST(Interval, FarFromTheAnchorIsAsGoodAsNear) {
  const FixedZone utc(0);
  const Instant anchor = Utc("1901-12-31 23:30");
  EXPECT_EQ(NextRuns("1 month", utc, Utc("2027-02-01 00:00"), anchor, 1),
            (Runs{"2027-02-28 23:30:00"}));
  EXPECT_EQ(NextRuns("7 months", utc, Utc("9999-01-01 00:00"), anchor, 1),
            (Runs{"9999-03-31 23:30:00"}));
  EXPECT_EQ(NextRuns("1 day", utc, Utc("200000-02-01 00:00"), anchor, 1),
            (Runs{"200000-02-01 23:30:00"}));
}

TEST(Interval, LastAndCountMeetTheEdges) {
  const FixedZone utc(0);
  const Instant anchor = Utc("2027-01-01 00:00");
  for (const char* text : {"1 hour", "1 day"}) {
    const Schedule schedule = Schedule::Parse(text);
    const Instant second = schedule.Next(anchor, utc, anchor);
    SCOPED_TRACE(text);
    EXPECT_EQ(schedule.Last(anchor - 1, anchor, utc, anchor), anchor);
    EXPECT_EQ(schedule.Last(anchor, second - 1, utc, anchor), kNever);
    EXPECT_EQ(schedule.Last(anchor - 1, second - 1, utc, anchor), anchor);
    EXPECT_EQ(schedule.Last(anchor - 1, second, utc, anchor), second);
    EXPECT_EQ(schedule.Last(anchor - kDay, anchor - 1, utc, anchor), kNever);
    EXPECT_EQ(schedule.Count(anchor - 1, anchor, utc, anchor, 9), 1);
    EXPECT_EQ(schedule.Count(anchor, second - 1, utc, anchor, 9), 0);
    EXPECT_EQ(schedule.Count(anchor - kDay, second, utc, anchor, 9), 2);
    EXPECT_EQ(schedule.Count(anchor - kDay, anchor - 1, utc, anchor, 9), 0);
    EXPECT_EQ(schedule.Count(anchor, anchor + 1000 * kDay, utc, anchor, 9), 9);
    EXPECT_EQ(schedule.Count(second, anchor, utc, anchor, 9), 0);
  }
  // A million years' worth would take a while one by one.
  EXPECT_EQ(Schedule::Parse("1 ms").Count(0, kEndInstant - 1, utc, 0, INT64_MAX),
            (kEndInstant - 1) / kMillisecond);
}

TEST(Interval, EndsOfTimeAreNoTrap) {
  const TzifZone berlin("Europe/Berlin");
  for (const char* text : {"1 ms", "1 hour", "100 years", "1 day", "1 day 23:59:59.999999",
                           "1 month", "1200 months", "876000 hours"}) {
    const Schedule schedule = Schedule::Parse(text);
    SCOPED_TRACE(text);
    for (const Instant anchor : {INT64_MIN, kMinInstant, Instant{0}, kEndInstant - 1}) {
      EXPECT_EQ(schedule.Next(kNever, berlin, anchor), kNever);
      EXPECT_EQ(schedule.Next(kEndInstant - 1, berlin, anchor), kNever);
      const Instant next = schedule.Next(kEndInstant - 2, berlin, anchor);
      EXPECT_TRUE(next == kNever || next == kEndInstant - 1);
      EXPECT_GE(schedule.Next(INT64_MIN, berlin, anchor), kMinInstant);
      EXPECT_LT(schedule.Last(INT64_MIN, kNever, berlin, anchor), kEndInstant);
      EXPECT_LE(schedule.Count(INT64_MIN, kNever, berlin, anchor, 3), 3);
    }
    EXPECT_EQ(schedule.Next(0, berlin, kNever), kNever);
    EXPECT_EQ(schedule.Last(0, kDay, berlin, kNever), kNever);
    EXPECT_EQ(schedule.Count(0, kDay, berlin, kNever, 3), 0);
  }
}

TEST(AfterCompletion, StartsThatLongAfterTheEnd) {
  const TzifZone berlin("Europe/Berlin");
  const auto next = [&berlin](const char* text, const char* finished) {
    const Schedule schedule = Schedule::Parse(text);
    EXPECT_EQ(schedule.kind(), Kind::kAfterCompletion);
    return UtcText(schedule.NextAfterCompletion(Utc(finished), berlin));
  };
  EXPECT_EQ(next("5 minutes after completion", "2027-01-01 00:01:02"), "2027-01-01 00:06:02");
  EXPECT_EQ(next("every 5 min AFTER\tCompletion", "2027-01-01 00:01:02"), "2027-01-01 00:06:02");
  EXPECT_EQ(next("1 hour 30 minutes after completion", "2027-01-01 00:00"), "2027-01-01 01:30:00");
  EXPECT_EQ(next("every hour after completion", "2026-03-29 00:30"), "2026-03-29 01:30:00");
  EXPECT_EQ(next("1 day after completion", "2026-03-28 11:00"), "2026-03-29 10:00:00");
  EXPECT_EQ(next("1 day after completion", "2026-03-28 01:30"), "2026-03-29 01:00:00");
  EXPECT_EQ(next("1 month after completion", "2027-01-31 11:00"), "2027-02-28 11:00:00");
  // The day that follows did not happen: as soon as there is time again.
  EXPECT_EQ(UtcText(Schedule::Parse("1 day after completion")
                        .NextAfterCompletion(Utc("2011-12-29 22:00"), TzifZone("Pacific/Apia"))),
            "2011-12-30 10:00:00");
}

TEST(AfterCompletion, OnlyTheFirstStartIsKnownInAdvance) {
  const FixedZone utc(0);
  const Schedule schedule = Schedule::Parse("5 minutes after completion");
  EXPECT_EQ(schedule.Next(99, utc, 100), 100);
  EXPECT_EQ(schedule.Next(100, utc, 100), kNever);
  EXPECT_EQ(schedule.Last(99, kNever, utc, 100), 100);
  EXPECT_EQ(schedule.Count(99, kNever, utc, 100, 9), 1);
  EXPECT_EQ(schedule.Count(100, kNever, utc, 100, 9), 0);
  EXPECT_EQ(schedule.NextAfterCompletion(kNever, utc), kNever);
  EXPECT_EQ(schedule.NextAfterCompletion(kEndInstant - 1, utc), kNever);
  EXPECT_EQ(Schedule::Parse("5 minutes").NextAfterCompletion(0, utc), kNever);
}

TEST(Interval, DescriptionsReadBackAsTheSameSchedule) {
  const std::pair<const char*, const char*> cases[] = {
      {"5 min", "every 5 minutes"},
      {"1 min", "every minute"},
      {"60 min", "every hour"},
      {"90 min", "every 1 hour 30 minutes"},
      {"90 s", "every 1 minute 30 seconds"},
      {"250 ms", "every 250 milliseconds"},
      {"1 ms", "every millisecond"},
      {"1.5 ms", "every 1.5 milliseconds"},
      {"1.25 s", "every 1.25 seconds"},
      {"1 min 1 ms", "every 1 minute 1 millisecond"},
      {"36 h", "every 36 hours"},
      {"10 days", "every 10 days"},
      {"14 days", "every 2 weeks"},
      {"1 mon 1 d 00:00:01", "every 1 month 1 day 1 second"},
      {"18 mons", "every 1 year 6 months"},
      {"5 min after completion", "5 minutes after completion"},
  };
  for (const auto& [text, description] : cases) {
    const Schedule schedule = Schedule::Parse(text);
    EXPECT_EQ(schedule.Describe(), description) << text;
    EXPECT_EQ(Schedule::Parse(description), schedule) << text;
  }
}

}  // namespace
}  // namespace ratchet::calendar
