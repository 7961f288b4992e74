#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"

namespace ratchet::calendar {
namespace {

struct Refusal {
  std::string message;
  std::string hint;
};

Refusal Refuse(std::string_view text) {
  try {
    const Schedule schedule = Schedule::Parse(text);
    return {"accepted: " + schedule.Describe(), ""};
  } catch (const ScheduleError& error) {
    return {error.what(), error.hint()};
  }
}

struct Case {
  const char* text;
  const char* message;
  const char* hint;  // a part of it
};

void CheckAll(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const Refusal refusal = Refuse(c.text);
    EXPECT_EQ(refusal.message, c.message) << c.text;
    EXPECT_NE(refusal.hint.find(c.hint), std::string::npos) << c.text << ": " << refusal.hint;
  }
}

TEST(ParseError, CronNamesTheFieldThePartAndTheRange) {
  CheckAll({
      {"61 * * * *", "invalid minute \"61\" in cron schedule \"61 * * * *\"",
       "Minutes go from 0 to 59."},
      {"* 24 * * *", "invalid hour \"24\" in cron schedule \"* 24 * * *\"",
       "Hours go from 0 to 23."},
      {"60 * * * * *", "invalid second \"60\" in cron schedule \"60 * * * * *\"",
       "Seconds go from 0 to 59."},
      {"0 0 32 * *", "invalid day of month \"32\" in cron schedule \"0 0 32 * *\"",
       "Days of the month go from 1 to 31"},
      {"0 0 0 * *", "invalid day of month \"0\" in cron schedule \"0 0 0 * *\"", "from 1 to 31"},
      {"0 0 1 13 *", "invalid month \"13\" in cron schedule \"0 0 1 13 *\"", "from JAN to DEC"},
      {"0 0 1 janu *", "invalid month \"janu\" in cron schedule \"0 0 1 janu *\"", "JAN"},
      {"0 0 * * 8", "invalid day of week \"8\" in cron schedule \"0 0 * * 8\"", "from 0 to 7"},
      {"0 0 * * MO", "invalid day of week \"MO\" in cron schedule \"0 0 * * MO\"", "SUN to SAT"},
      {"1,61,3 * * * *", "invalid minute \"61\" in cron schedule \"1,61,3 * * * *\"", "0 to 59"},
      {"1-61 * * * *", "invalid minute \"61\" in cron schedule \"1-61 * * * *\"", "0 to 59"},
      {"x * * * *", "invalid minute \"x\" in cron schedule \"x * * * *\"", "0 to 59"},
      {"MON * * * *", "invalid minute \"MON\" in cron schedule \"MON * * * *\"", "0 to 59"},
      {"-1 * * * *", "invalid minute \"-1\" in cron schedule \"-1 * * * *\"", "0 to 59"},
      {"1.5 * * * *", "invalid minute \"1.5\" in cron schedule \"1.5 * * * *\"", "0 to 59"},
      {"*5 * * * *", "invalid minute \"*5\" in cron schedule \"*5 * * * *\"", "0 to 59"},
      {"1-2-3 * * * *", "invalid minute \"1-2-3\" in cron schedule \"1-2-3 * * * *\"", "0 to 59"},
      {"9999999999 * * * *",
       "invalid minute \"9999999999\" in cron schedule \"9999999999 * * * *\"", "0 to 59"},
  });
}

TEST(ParseError, CronRangesListsAndSteps) {
  CheckAll({
      {"30-10 * * * *", "invalid minute range \"30-10\" in cron schedule \"30-10 * * * *\"",
       "from the smaller number to the larger one: 30-59,0-10."},
      {"0 22-6 * * *", "invalid hour range \"22-6\" in cron schedule \"0 22-6 * * *\"",
       "larger one: 22-23,0-6."},
      {"0 23-0/2 * * *", "invalid hour range \"23-0/2\" in cron schedule \"0 23-0/2 * * *\"",
       "larger one."},
      {"0 0 * * 5-1", "invalid day of week range \"5-1\" in cron schedule \"0 0 * * 5-1\"",
       "larger one: 5-6,0-1."},
      {"0 0 * * 5-0", "invalid day of week range \"5-0\" in cron schedule \"0 0 * * 5-0\"",
       "larger one: 5-7."},
      {"0 0 * 11-2 *", "invalid month range \"11-2\" in cron schedule \"0 0 * 11-2 *\"",
       "larger one: 11-12,1-2."},
      {"1,,2 * * * *", "invalid minute list \"1,,2\" in cron schedule \"1,,2 * * * *\"", "comma"},
      {"*/0 * * * *", "invalid minute step \"0\" in cron schedule \"*/0 * * * *\"", "from 1 to 60"},
      {"*/61 * * * *", "invalid minute step \"61\" in cron schedule \"*/61 * * * *\"",
       "from 1 to 60"},
      {"*/ * * * *", "invalid minute step \"\" in cron schedule \"*/ * * * *\"", "from 1 to 60"},
      {"0 */x * * *", "invalid hour step \"x\" in cron schedule \"0 */x * * *\"", "from 1 to 24"},
      {"0 1/2/3 * * *", "invalid hour step \"2/3\" in cron schedule \"0 1/2/3 * * *\"",
       "from 1 to 24"},
  });
}

TEST(ParseError, CronDayRules) {
  CheckAll({
      {"? * * * *", "invalid minute \"?\" in cron schedule \"? * * * *\"", "day fields only"},
      {"0 ? * * *", "invalid hour \"?\" in cron schedule \"0 ? * * *\"", "day fields only"},
      {"0 0 * ? *", "invalid month \"?\" in cron schedule \"0 0 * ? *\"", "day fields only"},
      {"0 0 L * L", "invalid day of week \"L\" in cron schedule \"0 0 L * L\"", "5L"},
      {"0 0 * * 15W", "invalid day of week \"15W\" in cron schedule \"0 0 * * 15W\"", "0 to 7"},
      {"0 0 ?,1 * *", "invalid day of month \"?,1\" in cron schedule \"0 0 ?,1 * *\"", "alone"},
      {"0 0 L-0 * *", "invalid day of month \"L-0\" in cron schedule \"0 0 L-0 * *\"", "1 to 30"},
      {"0 0 L-31 * *", "invalid day of month \"L-31\" in cron schedule \"0 0 L-31 * *\"",
       "1 to 30"},
      {"0 0 W * *", "invalid day of month \"W\" in cron schedule \"0 0 W * *\"", "one day"},
      {"0 0 1-5W * *", "invalid day of month \"1-5W\" in cron schedule \"0 0 1-5W * *\"",
       "one day"},
      {"0 0 32W * *", "invalid day of month \"32W\" in cron schedule \"0 0 32W * *\"", "one day"},
      {"0 0 * * L", "invalid day of week \"L\" in cron schedule \"0 0 * * L\"", "5L"},
      {"0 0 * * MON#6", "invalid day of week \"MON#6\" in cron schedule \"0 0 * * MON#6\"",
       "1 to 5"},
      {"0 0 * * MON-FRI#2",
       "invalid day of week \"MON-FRI#2\" in cron schedule \"0 0 * * MON-FRI#2\"", "MON#2"},
      {"0 0 * * 8L", "invalid day of week \"8\" in cron schedule \"0 0 * * 8L\"", "5L"},
      {"0 L * * *", "invalid hour \"L\" in cron schedule \"0 L * * *\"", "0 to 23"},
  });
}

TEST(ParseError, CronHash) {
  constexpr const char* kForms = "H, H(0-29), H/15 and H(0-29)/15";
  CheckAll({
      {"H5 * * * *", "invalid minute \"H5\" in cron schedule \"H5 * * * *\"", kForms},
      {"H-5 * * * *", "invalid minute \"H-5\" in cron schedule \"H-5 * * * *\"", kForms},
      {"H(5) * * * *", "invalid minute \"H(5)\" in cron schedule \"H(5) * * * *\"", kForms},
      {"H(5-9 * * * *", "invalid minute \"H(5-9\" in cron schedule \"H(5-9 * * * *\"", kForms},
      {"H() * * * *", "invalid minute \"H()\" in cron schedule \"H() * * * *\"", kForms},
      {"H(5-9)7 * * * *", "invalid minute \"H(5-9)7\" in cron schedule \"H(5-9)7 * * * *\"",
       kForms},
      {"H(-) * * * *", "invalid minute \"H(-)\" in cron schedule \"H(-) * * * *\"", "0 to 59"},
      {"H(0-60) * * * *", "invalid minute \"60\" in cron schedule \"H(0-60) * * * *\"", "0 to 59"},
      {"H(9-5) * * * *", "invalid minute range \"H(9-5)\" in cron schedule \"H(9-5) * * * *\"",
       "from the smaller number"},
      {"0 H/25 * * *", "invalid hour step \"25\" in cron schedule \"0 H/25 * * *\"", "1 to 24"},
      {"0 0 H/29 * *", "invalid day of month step \"29\" in cron schedule \"0 0 H/29 * *\"",
       "1 to 28"},
      {"0 H(8-12)/6 * * *", "invalid hour step \"6\" in cron schedule \"0 H(8-12)/6 * * *\"",
       "1 to 5"},
      {"0 H(8-12)/0 * * *", "invalid hour step \"0\" in cron schedule \"0 H(8-12)/0 * * *\"",
       "1 to 5"},
      {"0 0 HW * *", "invalid day of month \"HW\" in cron schedule \"0 0 HW * *\"", "one day"},
      {"0 0 * * HL", "invalid day of week \"HL\" in cron schedule \"0 0 * * HL\"", "5L"},
      {"0 0 * * H#2", "invalid day of week \"H#2\" in cron schedule \"0 0 * * H#2\"", "MON#2"},
  });
}

TEST(ParseError, CronThatCanNeverRun) {
  for (const char* text : {"0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31W 2 *",
                           "0 0 L-30 6 *", "0 0 L-30 2 *", "0 0 30,31,31W 2 ?",
                           "0 0 31 FEB,apr,June,SEP-SEP *", "0 0 */30 * MON#2", "0 0 L-29 2 ?"}) {
    const Refusal refusal = Refuse(text);
    EXPECT_EQ(refusal.message, "cron schedule \"" + std::string(text) + "\" never runs");
    EXPECT_EQ(refusal.hint, "No day of any year matches its day and month fields.");
  }
  // Either day field is enough.
  EXPECT_NO_THROW(Schedule::Parse("0 0 31 2 MON"));
  EXPECT_NO_THROW(Schedule::Parse("0 0 L-28 2 *"));
}

TEST(ParseError, CronWithAWrongNumberOfFields) {
  CheckAll({
      {"*", "cron schedule \"*\" has 1 field", "five fields"},
      {"* * * *", "cron schedule \"* * * *\" has 4 fields", "six with seconds"},
      {"* * * * * * *", "cron schedule \"* * * * * * *\" has 7 fields", "six with seconds"},
  });
}

TEST(ParseError, ZoneInFront) {
  CheckAll({
      {"CRON_TZ=Europe/Berlin 0 9 * * *",
       "schedule \"CRON_TZ=Europe/Berlin 0 9 * * *\" begins with a time zone",
       "time_zone => \"Europe/Berlin\""},
      {"tz=UTC @daily", "schedule \"tz=UTC @daily\" begins with a time zone",
       "leave \"tz=UTC\" out"},
      {"TZ= 0 9 * * *", "schedule \"TZ= 0 9 * * *\" begins with a time zone", "set time_zone."},
  });
}

TEST(ParseError, Intervals) {
  CheckAll({
      {"0 minutes", "interval schedule \"0 minutes\" has no length", "1 millisecond"},
      {"00:00:00", "interval schedule \"00:00:00\" has no length", "1 millisecond"},
      {"0 days", "interval schedule \"0 days\" has no length", "1 millisecond"},
      {"-5 minutes", "interval schedule \"-5 minutes\" is negative", "forward"},
      {"1 day -2 hours", "interval schedule \"1 day -2 hours\" is negative", "forward"},
      {"every -1 s", "interval schedule \"every -1 s\" is negative", "forward"},
      {"999 us", "interval schedule \"999 us\" is too short", "1 millisecond"},
      {"101 years", "interval schedule \"101 years\" is out of range", "100 years"},
      {"99999999999 s", "interval schedule \"99999999999 s\" is out of range", "100 years"},
      {"9999999999 hours", "interval schedule \"9999999999 hours\" is out of range", "100 years"},
      {"9999999999 years", "interval schedule \"9999999999 years\" is out of range", "100 years"},
      {"5 foos", "unknown unit \"foos\" in interval schedule \"5 foos\"",
       "weeks, months and years"},
      {"every foo", "unknown unit \"foo\" in interval schedule \"every foo\"", "Units are"},
      {"5", "missing unit after \"5\" in interval schedule \"5\"", "Units are"},
      {"every 5", "missing unit after \"5\" in interval schedule \"every 5\"", "Units are"},
      {"5 6 minutes", "missing unit after \"5\" in interval schedule \"5 6 minutes\"", "Units are"},
      {"1.5 days", "interval schedule \"1.5 days\" has a fraction of a day or a longer unit",
       "below a day"},
      {"5 min 5 min", "interval schedule \"5 min 5 min\" has the same unit twice",
       "number and a unit"},
      {"01:00 1 hour", "interval schedule \"01:00 1 hour\" has the same unit twice",
       "number and a unit"},
      {"1:60", "invalid time \"1:60\" in interval schedule \"1:60\"", "01:30:00"},
      {"1:2:3:4", "invalid time \"1:2:3:4\" in interval schedule \"1:2:3:4\"", "01:30:00"},
      {"1:", "invalid time \"1:\" in interval schedule \"1:\"", "01:30:00"},
      {"1:5x", "invalid time \"1:5x\" in interval schedule \"1:5x\"", "01:30:00"},
      {"5 minutes after",
       "invalid interval schedule \"5 minutes after\": expected a number at \"after\"",
       "number and a unit"},
      {"5 minutes, 3 s", "invalid interval schedule \"5 minutes, 3 s\": expected a number at \",\"",
       "number and a unit"},
      {"every", "invalid interval schedule \"every\"", "number and a unit"},
      {"every 5 * * * *", "missing unit after \"5\" in interval schedule \"every 5 * * * *\"",
       "Units are"},
      {"0.0000000001 s", "interval schedule \"0.0000000001 s\" has too many decimals",
       "microsecond"},
      {"* * * * * after completion",
       "invalid interval schedule \"* * * * * after completion\": expected a number at \"*\"",
       "number and a unit"},
  });
}

TEST(ParseError, Once) {
  CheckAll({
      {"at", "invalid point in time in schedule \"at\"", "at 2027-01-01 00:00"},
      {"at noon", "invalid point in time in schedule \"at noon\"", "at 2027-01-01 00:00"},
      {"at 2027-01-01T", "invalid point in time in schedule \"at 2027-01-01T\"", "midnight"},
      {"at 2027-01-01Z", "invalid point in time in schedule \"at 2027-01-01Z\"", "time zone"},
      {"at 2027-01-01+01", "invalid point in time in schedule \"at 2027-01-01+01\"", "time zone"},
      {"at 2027-01", "invalid point in time in schedule \"at 2027-01\"", "time zone"},
      {"at 2027-02-29", "invalid date \"2027-02-29\" in schedule \"at 2027-02-29\"",
       "There is no such day"},
      {"at 2027-01-01 00", "invalid point in time in schedule \"at 2027-01-01 00\"", "time zone"},
      {"at 2027-02-29 00:00", "invalid date \"2027-02-29\" in schedule \"at 2027-02-29 00:00\"",
       "no such day"},
      {"at 2027-13-01 00:00", "invalid date \"2027-13-01\" in schedule \"at 2027-13-01 00:00\"",
       "no such day"},
      {"at 2027-01-01 24:00", "invalid time \"24:00\" in schedule \"at 2027-01-01 24:00\"",
       "23:59:59"},
      {"at 2027-01-01 00:00:60", "invalid time \"00:00:60\" in schedule \"at 2027-01-01 00:00:60\"",
       "23:59:59"},
      {"at 2027-01-01 00:00+16", "invalid offset \"+16\" in schedule \"at 2027-01-01 00:00+16\"",
       "+15:59"},
      {"at 2027-01-01 00:00.", "invalid point in time in schedule \"at 2027-01-01 00:00.\"", ""},
      {"at 2027-01-01 00:00:00.1234567",
       "invalid point in time in schedule \"at 2027-01-01 00:00:00.1234567\"", ""},
      {"at 2027-01-01 00:00 CET", "invalid point in time in schedule \"at 2027-01-01 00:00 CET\"",
       "offset"},
      {"at 2027-01-01 00:00+01:", "invalid point in time in schedule \"at 2027-01-01 00:00+01:\"",
       "offset"},
      {"at 27-1-1 00:00", "invalid point in time in schedule \"at 27-1-1 00:00\"", ""},
  });
}

TEST(ParseError, OtherFormsListWhatIsSupported) {
  CheckAll({
      {"", "schedule is empty", "@daily"},
      {" \t\n", "schedule is empty", "5 minutes"},
      {"whenever", "invalid schedule \"whenever\"", "\"at 2027-01-01 00:00\""},
      {"do it each and every day", "invalid schedule \"do it each and every day\"", "@weekly"},
      {"@often", "unknown schedule \"@often\"", "@manual"},
      {"@", "unknown schedule \"@\"", "@manual"},
      {"@daily x", "unknown schedule \"@daily x\"", "@manual"},
      {"@continuously", "unknown schedule \"@continuously\"", "@continuous"},
      {"RRULE:FREQ=DAYLY", "invalid rule part \"FREQ=DAYLY\" in schedule \"RRULE:FREQ=DAYLY\"",
       "DAILY"},
      {"dtstart:19970902T090000", "schedule \"dtstart:19970902T090000\" has no RRULE", "RRULE"},
      {"1 2 3", "missing unit after \"1\" in interval schedule \"1 2 3\"", ""},
      {"0 9 1 1 MON!", "invalid day of week \"MON!\" in cron schedule \"0 9 1 1 MON!\"", "MON#2"},
      {"5 foos 3 bars and", "unknown unit \"foos\" in interval schedule \"5 foos 3 bars and\"",
       "Units"},
      {"1:30 2 days 3 x", "unknown unit \"x\" in interval schedule \"1:30 2 days 3 x\"", "Units"},
      {"10s 2 3 4 5", "missing unit after \"2\" in interval schedule \"10s 2 3 4 5\"", "Units"},
      {"after completion", "invalid schedule \"after completion\"", "after completion"},
  });
}

TEST(ParseError, TextThatIsNotText) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(Refuse("5 minutes\0"sv).message,
            "invalid interval schedule \"5 minutes?\": expected a number at \"?\"");
  EXPECT_EQ(Refuse("* * * * *\0"sv).message,
            "invalid day of week \"*?\" in cron schedule \"* * * * *?\"");
  EXPECT_EQ(Refuse("\0"sv).message, "invalid schedule \"?\"");
  EXPECT_EQ(Refuse("\xff\xfe * * * *").message,
            "invalid minute \"\?\?\" in cron schedule \"\?\? * * * *\"");
  EXPECT_EQ(Refuse("täglich").message, "invalid schedule \"täglich\"");
  EXPECT_EQ(Refuse("t\xc3").message, "invalid schedule \"t?\"");
  EXPECT_EQ(Refuse("\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80").message,
            "invalid schedule \"" + std::string(9, '?') + "\"");
  EXPECT_EQ(Refuse("５ * * * *").message, "invalid minute \"５\" in cron schedule \"５ * * * *\"");
}

TEST(ParseError, LongTextIsCutShortAndRefusedAtOnce) {
  const std::clock_t start = std::clock();
  for (const char* piece : {"*", "1,", "5 ", " ", "ä", "1 minute ", "9", "* * * * ", "@"}) {
    std::string text;
    while (text.size() < 1000000) {
      text += piece;
    }
    const Refusal refusal = Refuse(text);
    EXPECT_LT(refusal.message.size(), 100u) << piece;
    EXPECT_EQ(refusal.message.substr(0, 10), "schedule \"") << piece;
    EXPECT_NE(refusal.hint.find("2000 bytes"), std::string::npos) << piece;
    // The longest text that is looked at.
    EXPECT_LT(Refuse(text.substr(0, 2000)).message.size(), 300u) << piece;
  }
  EXPECT_LT(std::clock() - start, 1 * CLOCKS_PER_SEC);
}

TEST(ParseError, MessagesAndHintsAreInPostgresqlsStyle) {
  for (const char* text : {"61 * * * *", "5 foos", "at noon", "@often", "", "0 0 31 2 *", "* *",
                           "1:60", "RRULE:", "-1 s", "0 0 W * *", "1,,2 * * * *", "H5 * * * *"}) {
    const Refusal refusal = Refuse(text);
    ASSERT_FALSE(refusal.message.empty());
    EXPECT_TRUE(refusal.message[0] >= 'a' && refusal.message[0] <= 'z') << refusal.message;
    EXPECT_NE(refusal.message.back(), '.') << refusal.message;
    ASSERT_FALSE(refusal.hint.empty()) << text;
    EXPECT_EQ(refusal.hint.back(), '.') << refusal.hint;
    EXPECT_FALSE(refusal.hint[0] >= 'a' && refusal.hint[0] <= 'z') << refusal.hint;
  }
}

}  // namespace
}  // namespace ratchet::calendar
