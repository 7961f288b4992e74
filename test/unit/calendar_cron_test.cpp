#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

std::vector<std::string> NextRuns(const char* text, const Zone& zone, Instant after, int count) {
  const Schedule schedule = Schedule::Parse(text);
  std::vector<std::string> runs;
  Instant t = after;
  for (int i = 0; i < count && t != kNever; ++i) {
    t = schedule.Next(t, zone, 0);
    runs.push_back(UtcText(t));
  }
  return runs;
}

using Runs = std::vector<std::string>;

struct Case {
  const char* schedule;
  const char* after;
  Runs runs;
};

void CheckAll(const Zone& zone, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(NextRuns(c.schedule, zone, Utc(c.after), static_cast<int>(c.runs.size())), c.runs)
        << c.schedule << " after " << c.after;
  }
}

TEST(Cron, Fields) {
  CheckAll(
      FixedZone(0),
      {
          {"5 * * * *", "2027-01-01 00:05", {"2027-01-01 01:05:00", "2027-01-01 02:05:00"}},
          {"*/5 * * * *", "2027-01-01 00:01", {"2027-01-01 00:05:00", "2027-01-01 00:10:00"}},
          {"0 9 * * MON-FRI", "2027-01-01 09:00", {"2027-01-04 09:00:00", "2027-01-05 09:00:00"}},
          {"*/10 * * * * *", "2027-01-01 00:00:55", {"2027-01-01 00:01:00", "2027-01-01 00:01:10"}},
          {"30 15 10 1 JAN *", "2027-01-01 10:15:30", {"2028-01-01 10:15:30"}},
          {"50/4 0 1 1 *",
           "2027-01-01 00:00",
           {"2027-01-01 00:50:00", "2027-01-01 00:54:00", "2027-01-01 00:58:00",
            "2028-01-01 00:50:00"}},
          {"0 20/2 1 1 *",
           "2027-01-01 00:00",
           {"2027-01-01 20:00:00", "2027-01-01 22:00:00", "2028-01-01 20:00:00"}},
          {"0 0 28/2 2 *", "2027-01-01 00:00", {"2027-02-28 00:00:00", "2028-02-28 00:00:00"}},
          {"1-10/3,59 0 1 1 *",
           "2027-01-01 00:00",
           {"2027-01-01 00:01:00", "2027-01-01 00:04:00", "2027-01-01 00:07:00",
            "2027-01-01 00:10:00", "2027-01-01 00:59:00"}},
          {"0 0 1 mar,September *",
           "2027-01-01 00:00",
           {"2027-03-01 00:00:00", "2027-09-01 00:00:00"}},
          {"0 0 1 NOV-FEB *",
           "2027-01-15 00:00",
           {"2027-02-01 00:00:00", "2027-11-01 00:00:00", "2027-12-01 00:00:00",
            "2028-01-01 00:00:00"}},
          {"0 0 1 jAn-mAr,dEcEmBeR ?",
           "2027-01-15 00:00",
           {"2027-02-01 00:00:00", "2027-03-01 00:00:00", "2027-12-01 00:00:00"}},
          {"0 0 ? * ?", "2027-01-01 00:00", {"2027-01-02 00:00:00"}},
          {"  0\t0\n1  1 * ", "2027-01-01 00:00", {"2028-01-01 00:00:00"}},
          {"59 59 23 31 12 ?", "2027-01-01 00:00", {"2027-12-31 23:59:59"}},
          {"007 00 01 01 *", "2027-01-01 00:00", {"2027-01-01 00:07:00"}},
      });
}

TEST(Cron, Weekdays) {
  // 2027-01-03 is a Sunday.
  const Runs weekend = {"2027-01-08 00:00:00", "2027-01-09 00:00:00", "2027-01-10 00:00:00",
                        "2027-01-15 00:00:00"};
  const Runs sundays = {"2027-01-10 00:00:00", "2027-01-17 00:00:00"};
  CheckAll(FixedZone(0),
           {
               {"0 0 * * FRI-SUN", "2027-01-03 00:00", weekend},
               {"0 0 * * friday-sunday", "2027-01-03 00:00", weekend},
               {"0 0 * * 5-7", "2027-01-03 00:00", weekend},
               {"0 0 * * 5-sun", "2027-01-03 00:00", weekend},
               {"0 0 * * fRi-SuN", "2027-01-03 00:00", weekend},
               {"0 0 * * 0", "2027-01-03 00:00", sundays},
               {"0 0 * * 7", "2027-01-03 00:00", sundays},
               {"0 0 * * SUN", "2027-01-03 00:00", sundays},
               {"0 0 * * 0,7", "2027-01-03 00:00", sundays},
               {"0 0 * * SAT-MON",
                "2027-01-03 00:00",
                {"2027-01-04 00:00:00", "2027-01-09 00:00:00", "2027-01-10 00:00:00"}},
               {"0 0 * * */2",
                "2027-01-03 00:00",
                {"2027-01-05 00:00:00", "2027-01-07 00:00:00", "2027-01-09 00:00:00",
                 "2027-01-10 00:00:00"}},
               {"0 0 * * 1/2",
                "2027-01-03 00:00",
                {"2027-01-04 00:00:00", "2027-01-06 00:00:00", "2027-01-08 00:00:00",
                 "2027-01-11 00:00:00"}},
               {"0 0 * * 0-7", "2027-01-03 00:00", {"2027-01-04 00:00:00"}},
           });
}

TEST(Cron, DayRules) {
  CheckAll(
      FixedZone(0),
      {
          {"0 0 L * *",
           "2027-01-31 00:00",
           {"2027-02-28 00:00:00", "2027-03-31 00:00:00", "2027-04-30 00:00:00"}},
          {"0 0 L 2 *", "2027-03-01 00:00", {"2028-02-29 00:00:00", "2029-02-28 00:00:00"}},
          {"0 0 L-3 * *", "2027-02-01 00:00", {"2027-02-25 00:00:00", "2027-03-28 00:00:00"}},
          // Not in months of 30 days or less.
          {"0 0 L-30 * *", "2027-01-15 00:00", {"2027-03-01 00:00:00", "2027-05-01 00:00:00"}},
          // 2027-01-31 is a Sunday, 2027-02-28 too, 2027-07-31 a Saturday.
          {"0 0 LW * *", "2027-01-01 00:00", {"2027-01-29 00:00:00", "2027-02-26 00:00:00"}},
          {"0 0 LW 7 *", "2027-01-01 00:00", {"2027-07-30 00:00:00"}},
          {"0 0 LW 6 *", "2027-01-01 00:00", {"2027-06-30 00:00:00"}},
          // 2027-05-15 is a Saturday, 2027-08-15 a Sunday, 2027-01-15 a Friday.
          {"0 0 15W 5 *", "2027-01-01 00:00", {"2027-05-14 00:00:00"}},
          {"0 0 15W 8 *", "2027-01-01 00:00", {"2027-08-16 00:00:00"}},
          {"0 0 15w 1 *", "2027-01-01 00:00", {"2027-01-15 00:00:00"}},
          // 2027-05-01 is a Saturday: the Friday before is in April.
          {"0 0 1W 5 *", "2027-01-01 00:00", {"2027-05-03 00:00:00"}},
          // 2027-01-31 is a Sunday: the Monday after is in February.
          {"0 0 31W * *", "2027-01-01 00:00", {"2027-01-29 00:00:00", "2027-03-31 00:00:00"}},
          {"0 0 29W 2 *", "2027-01-01 00:00", {"2028-02-29 00:00:00", "2032-02-27 00:00:00"}},
          {"0 0 1,15W,L * *",
           "2027-05-02 00:00",
           {"2027-05-14 00:00:00", "2027-05-31 00:00:00", "2027-06-01 00:00:00"}},
          {"0 0 * * MON#2", "2027-01-01 00:00", {"2027-01-11 00:00:00", "2027-02-08 00:00:00"}},
          {"0 0 * * 1#5", "2027-01-01 00:00", {"2027-03-29 00:00:00", "2027-05-31 00:00:00"}},
          {"0 0 * * 7#1", "2027-01-01 00:00", {"2027-01-03 00:00:00"}},
          {"0 18 * * 5L", "2027-01-01 00:00", {"2027-01-29 18:00:00", "2027-02-26 18:00:00"}},
          {"0 18 * * fril", "2027-01-01 00:00", {"2027-01-29 18:00:00"}},
          {"0 0 ? * MON#1,5L",
           "2027-01-01 00:00",
           {"2027-01-04 00:00:00", "2027-01-29 00:00:00", "2027-02-01 00:00:00"}},
      });
}

TEST(Cron, EitherDayFieldMatchesWhenBothAreRestricted) {
  CheckAll(FixedZone(0),
           {
               {"0 0 13 * FRI",
                "2027-08-01 00:00",
                {"2027-08-06 00:00:00", "2027-08-13 00:00:00", "2027-08-20 00:00:00"}},
               {"0 0 13 * 1",
                "2027-01-01 00:00",
                {"2027-01-04 00:00:00", "2027-01-11 00:00:00", "2027-01-13 00:00:00"}},
               // A field that starts with '*' narrows.
               {"0 0 */2 * MON",
                "2027-01-01 00:00",
                {"2027-01-11 00:00:00", "2027-01-25 00:00:00", "2027-02-01 00:00:00"}},
               {"0 0 13 * */5", "2027-01-01 00:00", {"2027-06-13 00:00:00", "2027-08-13 00:00:00"}},
               {"0 0 *,13 * FRI", "2027-01-01 00:00", {"2027-01-08 00:00:00"}},
               // '1-31' does not start with '*': every day of the month, or Mondays.
               {"0 0 1-31 * MON", "2027-01-01 00:00", {"2027-01-02 00:00:00"}},
               {"0 0 ? * MON", "2027-01-01 00:00", {"2027-01-04 00:00:00"}},
               {"0 0 13 * ?", "2027-01-01 00:00", {"2027-01-13 00:00:00"}},
           });
}

TEST(Cron, WeekdaysAsInQuartz) {
  for (const char* text : {"0 0 9 ? * 2#1", "0 0 9 ? * 2-6", "0 9 ? * 1", " 0 0 9 ? * MON,5 ",
                           "0 0 9 ? * MON-6", "0 0 9 ? * 6L", "0 0 9 ? * 1/2"}) {
    EXPECT_TRUE(CountsFromSunday(text)) << text;
  }
  for (const char* text :
       {"0 0 9 ? * MON#2", "0 0 9 ? * MON-FRI/2", "0 0 9 ? * *", "0 0 9 * * 1", "0 0 9 1 * ?",
        "0 0 9 ? * FRIL", "5 minutes", "?", "", "0 0 9 ? * MON 2027"}) {
    EXPECT_FALSE(CountsFromSunday(text)) << text;
  }
}

TEST(Cron, NeedsAZone) {
  for (const char* text :
       {"0 9 * * *", "*/5 * * * *", "@daily", "1 day", "1 month after completion",
        "at 2099-01-01 00:00", "RRULE:FREQ=DAILY", "DTSTART:20270101T090000 RRULE:FREQ=HOURLY"}) {
    EXPECT_TRUE(Schedule::Parse(text).NeedsZone()) << text;
  }
  for (const char* text :
       {"5 minutes", "100 ms after completion", "@manual", "@startup", "@continuous",
        "at 2099-01-01 00:00Z", "DTSTART:20270101T090000Z RRULE:FREQ=HOURLY"}) {
    EXPECT_FALSE(Schedule::Parse(text).NeedsZone()) << text;
  }
}

TEST(Cron, RareDays) {
  CheckAll(FixedZone(0), {
                             {"0 0 29 2 *", "2096-03-01 00:00", {"2104-02-29 00:00:00"}},
                             {"0 0 29 2 */7", "1880-03-01 00:00", {"1920-02-29 00:00:00"}},
                             {"0 0 */28 2 SUN", "2027-02-01 00:00", {"2032-02-01 00:00:00"}},
                         });
  const Schedule leap_day = Schedule::Parse("0 0 29 2 *");
  EXPECT_EQ(UtcText(leap_day.Last(kMinInstant, Utc("2104-02-28 00:00"), FixedZone(0), 0)),
            "2096-02-29 00:00:00");
}

TEST(Cron, Names) {
  EXPECT_EQ(Schedule::Parse("@hourly"), Schedule::Parse("0 * * * *"));
  EXPECT_EQ(Schedule::Parse("@Daily"), Schedule::Parse("0 0 * * *"));
  EXPECT_EQ(Schedule::Parse("@midnight"), Schedule::Parse("0 0 * * *"));
  EXPECT_EQ(Schedule::Parse("@weekly"), Schedule::Parse("0 0 * * 0"));
  EXPECT_EQ(Schedule::Parse("@monthly"), Schedule::Parse("0 0 1 * *"));
  EXPECT_EQ(Schedule::Parse("@yearly"), Schedule::Parse("0 0 1 1 *"));
  EXPECT_EQ(Schedule::Parse("@ANNUALLY"), Schedule::Parse("0 0 1 1 *"));
  EXPECT_EQ(Schedule::Parse("@startup").kind(), Kind::kStartup);
  EXPECT_EQ(Schedule::Parse("@reboot").kind(), Kind::kStartup);
  EXPECT_EQ(Schedule::Parse("@manual").kind(), Kind::kManual);
  EXPECT_EQ(Schedule::Parse("@Continuous").kind(), Kind::kContinuous);
  EXPECT_EQ(Schedule(), Schedule::Parse("@manual"));
}

TEST(Cron, SchedulesWithoutTimesHaveNoOccurrences) {
  const FixedZone utc(0);
  for (const char* text : {"@manual", "@startup", "@continuous"}) {
    const Schedule schedule = Schedule::Parse(text);
    EXPECT_EQ(schedule.Next(0, utc, 0), kNever);
    EXPECT_EQ(schedule.Last(kMinInstant, kEndInstant, utc, 0), kNever);
    EXPECT_EQ(schedule.Count(kMinInstant, kEndInstant, utc, 0, 10), 0);
    EXPECT_EQ(schedule.NextAfterCompletion(0, utc), kNever);
  }
}

TEST(Cron, EqualityIsByMeaning) {
  EXPECT_EQ(Schedule::Parse("0 0 * * MON"), Schedule::Parse("0 0 0 * * 1"));
  EXPECT_EQ(Schedule::Parse("0 0 * * SUN"), Schedule::Parse("00 0 ? JAN-DEC 7"));
  EXPECT_FALSE(Schedule::Parse("0 0 * * MON") == Schedule::Parse("0 0 * * TUE"));
  // By elapsed time, and on the wall clock.
  EXPECT_FALSE(Schedule::Parse("0 * * * *") == Schedule::Parse("0 0-23 * * *"));
}

TEST(CronDaylightSaving, FixedTimesInASpringGapRunOnceAfterIt) {
  // 02:00 to 03:00 is left out on 2026-03-29.
  CheckAll(
      TzifZone("Europe/Berlin"),
      {
          {"30 2 * * *",
           "2026-03-28 00:00",
           {"2026-03-28 01:30:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"}},
          {"0 3 * * *", "2026-03-28 12:00", {"2026-03-29 01:00:00", "2026-03-30 01:00:00"}},
          // Three readings become one instant.
          {"0,30 2,3 * * *",
           "2026-03-29 00:30",
           {"2026-03-29 01:00:00", "2026-03-29 01:30:00", "2026-03-30 00:00:00"}},
          {"0 30 2 29 3 *", "2026-03-28 12:00", {"2026-03-29 01:00:00", "2027-03-29 00:30:00"}},
          {"*/20 30 2 29 3 *", "2026-03-28 12:00", {"2026-03-29 01:00:00", "2027-03-29 00:30:00"}},
      });
  // At midnight: 2018-11-04 begins at 01:00.
  CheckAll(TzifZone("America/Sao_Paulo"),
           {{"@daily", "2018-11-03 12:00", {"2018-11-04 03:00:00", "2018-11-05 02:00:00"}}});
  // Half an hour.
  CheckAll(TzifZone("Australia/Lord_Howe"),
           {{"15 2 * * *", "2026-10-03 12:00", {"2026-10-03 15:30:00", "2026-10-04 15:15:00"}}});
}

TEST(CronDaylightSaving, FixedTimesInARepeatedHourRunInItsFirstPass) {
  // 02:00 to 03:00 is there twice on 2026-10-25.
  CheckAll(TzifZone("Europe/Berlin"),
           {
               {"30 2 * * *", "2026-10-24 12:00", {"2026-10-25 00:30:00", "2026-10-26 01:30:00"}},
               {"0,30 2,3 * * *",
                "2026-10-24 12:00",
                {"2026-10-25 00:00:00", "2026-10-25 00:30:00", "2026-10-25 02:00:00"}},
               // Asked within the second pass.
               {"0-59 2 * * *", "2026-10-25 01:10", {"2026-10-26 01:00:00"}},
               {"0-59 0-23 * * *", "2026-10-25 00:59", {"2026-10-25 02:00:00"}},
           });
}

TEST(CronDaylightSaving, AStarInMinuteOrHourGoesByElapsedTime) {
  CheckAll(TzifZone("Europe/Berlin"),
           {
               {"30 * * * *",
                "2026-03-29 00:00",
                {"2026-03-29 00:30:00", "2026-03-29 01:30:00", "2026-03-29 02:30:00"}},
               {"30 * * * *",
                "2026-10-25 00:00",
                {"2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-25 02:30:00"}},
               {"*/30 2 * * *", "2026-03-28 12:00", {"2026-03-30 00:00:00", "2026-03-30 00:30:00"}},
               {"*/30 2 * * *",
                "2026-10-24 12:00",
                {"2026-10-25 00:00:00", "2026-10-25 00:30:00", "2026-10-25 01:00:00",
                 "2026-10-25 01:30:00", "2026-10-26 01:00:00"}},
               {"30 */2 * * *", "2026-03-29 00:00", {"2026-03-29 02:30:00"}},
               {"30 */2 * * *", "2026-10-25 00:00", {"2026-10-25 00:30:00", "2026-10-25 01:30:00"}},
           });
  // A day that is left out, without any hour of it.
  CheckAll(TzifZone("Pacific/Apia"),
           {{"0 */12 * * *",
             "2011-12-29 12:00",
             {"2011-12-29 22:00:00", "2011-12-30 10:00:00", "2011-12-30 22:00:00"}}});
}

TEST(CronDaylightSaving, OccurrencesInASkippedDayDoNotRun) {
  // Samoa had no 2011-12-30: 10:00 UTC on that day is the midnight at its both ends.
  const TzifZone apia("Pacific/Apia");
  CheckAll(apia, {
                     {"0 12 * * *",
                      "2011-12-28 23:00",
                      {"2011-12-29 22:00:00", "2011-12-30 22:00:00", "2011-12-31 22:00:00"}},
                     {"0 0 * * *",
                      "2011-12-28 23:00",
                      {"2011-12-29 10:00:00", "2011-12-30 10:00:00", "2011-12-31 10:00:00"}},
                     {"0 12 30 12 *", "2011-01-01 00:00", {"2012-12-29 22:00:00"}},
                     {"0-59 0-59 0-23 * * *", "2011-12-30 09:59:59", {"2011-12-30 10:00:00"}},
                 });
  const Schedule schedule = Schedule::Parse("0 12 30 12 *");
  EXPECT_EQ(UtcText(schedule.Last(0, Utc("2012-01-01 00:00"), apia, 0)), "2010-12-30 22:00:00");
  EXPECT_EQ(
      UtcText(Schedule::Parse("0-59 0-59 0-23 * * *").Last(0, Utc("2011-12-30 10:00"), apia, 0)),
      "2011-12-30 10:00:00");
}

TEST(Cron, LastIsTheLatestUpToAndIncludingTheEnd) {
  const FixedZone utc(0);
  const Schedule schedule = Schedule::Parse("0 9 * * 1");
  const Instant monday = Utc("2027-01-04 09:00");
  EXPECT_EQ(schedule.Last(0, monday, utc, 0), monday);
  EXPECT_EQ(schedule.Last(0, monday - 1, utc, 0), monday - 7 * kDay);
  EXPECT_EQ(schedule.Last(monday, monday, utc, 0), kNever);
  EXPECT_EQ(schedule.Last(monday - 1, monday, utc, 0), monday);
  EXPECT_EQ(schedule.Last(monday, monday + 7 * kDay - 1, utc, 0), kNever);
  EXPECT_EQ(schedule.Last(monday + 1, monday, utc, 0), kNever);
}

TEST(Cron, CountStopsAtItsLimit) {
  const FixedZone utc(0);
  const Schedule schedule = Schedule::Parse("* * * * *");
  EXPECT_EQ(schedule.Count(0, kHour, utc, 0, 1000), 60);
  EXPECT_EQ(schedule.Count(0, kHour - 1, utc, 0, 1000), 59);
  EXPECT_EQ(schedule.Count(-1, kHour, utc, 0, 1000), 61);
  EXPECT_EQ(schedule.Count(0, kEndInstant, utc, 0, 7), 7);
  EXPECT_EQ(schedule.Count(0, kHour, utc, 0, 0), 0);
  EXPECT_EQ(schedule.Count(kHour, 0, utc, 0, 1000), 0);
}

TEST(Cron, EndsOfTimeAreNoTrap) {
  const TzifZone berlin("Europe/Berlin");
  for (const char* text :
       {"* * * * *", "0 0 * * *", "59 23 31 12 *", "0 0 29 2 *", "5 */2 L * 1#1"}) {
    const Schedule schedule = Schedule::Parse(text);
    EXPECT_EQ(schedule.Next(kNever, berlin, 0), kNever) << text;
    EXPECT_EQ(schedule.Next(kEndInstant, berlin, 0), kNever) << text;
    EXPECT_GE(schedule.Next(INT64_MIN, berlin, 0), kMinInstant) << text;
    EXPECT_LT(schedule.Next(kEndInstant - 100000 * kDay, berlin, 0), kEndInstant) << text;
    EXPECT_LT(schedule.Last(INT64_MIN, kNever, berlin, 0), kEndInstant) << text;
    EXPECT_EQ(schedule.Last(kNever, INT64_MIN, berlin, 0), kNever) << text;
    EXPECT_EQ(schedule.Count(INT64_MIN, kNever, berlin, 0, 3), 3) << text;
  }
}

TEST(Cron, Descriptions) {
  const std::pair<const char*, const char*> cases[] = {
      {"0 9 * * 1", "at 09:00 on Monday"},
      {"0 9 * * MON-FRI", "at 09:00 on Monday to Friday"},
      {"0 9,17 * * 6,0", "at 09:00 and 17:00 on Saturday and Sunday"},
      {"0 9 * * FRI-SUN", "at 09:00 on Friday to Sunday"},
      {"@daily", "at 00:00 every day"},
      {"@hourly", "at minute 0 past every hour"},
      {"@weekly", "at 00:00 on Sunday"},
      {"@monthly", "at 00:00 on day 1 of the month"},
      {"@yearly", "at 00:00 on day 1 of the month in January"},
      {"* * * * *", "every minute"},
      {"* * * * * *", "every second"},
      {"*/5 * * * *", "every 5 minutes from minute 0 of every hour"},
      {"2/5 * * * *", "every 5 minutes from minute 2 of every hour"},
      {"*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 past every hour"},
      {"0,30 * * * *", "at minutes 0 and 30 past every hour"},
      {"*/15 9-17 * * 1-5", "at minutes 0, 15, 30 and 45 past hours 9 to 17 on Monday to Friday"},
      {"* 9 * * *", "every minute past hour 9"},
      {"*/10 * * * * *", "every 10 seconds from second 0 of every minute"},
      {"*/10 0 * * * *", "at seconds 0, 10, 20, 30, 40 and 50 of minute 0 past every hour"},
      {"* 5 4 * * *", "every second of minute 5 past hour 4"},
      {"30 0 9 * * *", "at 09:00:30 every day"},
      {"0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"},
      {"0 0 1-7 * MON", "at 00:00 on days 1 to 7 of the month or on Monday"},
      {"0 0 */10 * MON", "at 00:00 on days 1, 11, 21 and 31 of the month if it is also on Monday"},
      {"0 0 1-31 * MON", "at 00:00 every day"},
      {"0 0 L * *", "at 00:00 on the last day of the month"},
      {"0 0 L-3 * *", "at 00:00 on 3 days before the last day of the month"},
      {"0 0 LW 6 *", "at 00:00 on the last weekday of the month in June"},
      {"0 0 15W * *", "at 00:00 on the weekday nearest to day 15 of the month"},
      {"0 18 * * 5L", "at 18:00 on the last Friday of the month"},
      {"0 18 * * MON#2", "at 18:00 on the second Monday of the month"},
      {"* * * 1-3,12 *", "every minute in January to March and December"},
      {"@startup", "at server start"},
      {"@manual", "only when triggered"},
      {"@continuous", "again as soon as it has finished"},
  };
  for (const auto& [text, description] : cases) {
    EXPECT_EQ(Schedule::Parse(text).Describe(), description) << text;
  }
}

TEST(Once, IsAWallClockTimeUnlessItHasAnOffset) {
  const TzifZone berlin("Europe/Berlin");
  const std::pair<const char*, const char*> cases[] = {
      {"at 2027-01-01 00:00", "2026-12-31 23:00:00"},
      {"at 2027-01-01", "2026-12-31 23:00:00"},
      {" AT  2027-07-01 ", "2027-06-30 22:00:00"},
      {"AT 2027-07-01T00:00:30", "2027-06-30 22:00:30"},
      {"at 2027-07-01 00:00:30.25", "2027-06-30 22:00:30.250000"},
      {"at 2027-01-01 00:00Z", "2027-01-01 00:00:00"},
      {"at 2027-01-01t00:00 z", "2027-01-01 00:00:00"},
      {"at 2027-01-01 00:00+01", "2026-12-31 23:00:00"},
      {"at 2027-01-01 00:00:00 +05:30", "2026-12-31 18:30:00"},
      {"at 2027-01-01 00:00-0330", "2027-01-01 03:30:00"},
      {"at 2026-03-29 02:30", "2026-03-29 01:00:00"},
      {"at 2026-10-25 02:30", "2026-10-25 00:30:00"},
  };
  for (const auto& [text, instant] : cases) {
    const Schedule schedule = Schedule::Parse(text);
    EXPECT_EQ(schedule.kind(), Kind::kOnce);
    const Instant due = schedule.Next(Utc("2026-01-01 00:00"), berlin, 0);
    EXPECT_EQ(UtcText(due), instant) << text;
    EXPECT_EQ(schedule.Next(due, berlin, 0), kNever) << text;
    EXPECT_EQ(schedule.Next(due - 1, berlin, 0), due) << text;
    EXPECT_EQ(schedule.Last(due - 1, due, berlin, 0), due) << text;
    EXPECT_EQ(schedule.Last(due - 2, due - 1, berlin, 0), kNever) << text;
    EXPECT_EQ(schedule.Count(0, kNever, berlin, 0, 10), 1) << text;
  }
  EXPECT_EQ(Schedule::Parse("at 2011-12-30 12:00").Next(0, TzifZone("Pacific/Apia"), 0), kNever);
  // Its clocks went from midnight to one o'clock.
  EXPECT_EQ(UtcText(Schedule::Parse("at 2018-11-04").Next(0, TzifZone("America/Sao_Paulo"), 0)),
            "2018-11-04 03:00:00");
  EXPECT_EQ(Schedule::Parse("at 2027-01-01").Describe(), "once at 2027-01-01 00:00");
  EXPECT_EQ(Schedule::Parse("at 2027-01-01 00:00:30.25").Describe(),
            "once at 2027-01-01 00:00:30.25");
  EXPECT_EQ(Schedule::Parse("at 0027-01-01 00:00+01").Describe(), "once at 0026-12-31 23:00 UTC");
}

}  // namespace
}  // namespace ratchet::calendar
