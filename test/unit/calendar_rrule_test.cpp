#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "calendar/schedule.h"
#include "calendar/timeline.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

// Occurrences as texts, from the beginning, without the time where it is 09:00.
std::string Occurrences(const Schedule& schedule, const Zone& zone, int most, Instant anchor = 0,
                        Instant after = kMinInstant) {
  std::string text;
  Instant t = after;
  for (int i = 0; i < most; ++i) {
    t = schedule.Next(t, zone, anchor);
    if (t == kNever) {
      return text + "end";
    }
    std::string reading = UtcText(LocalAt(t, zone));
    reading = reading.substr(0, reading.find(" 09:00:00"));
    if (reading.size() > 10 && reading.substr(16) == ":00") {
      reading.resize(16);
    }
    text += reading + ' ';
  }
  return text;
}

std::string First(const char* text, int most) {
  return Occurrences(Schedule::Parse(text), FixedZone(0), most);
}

struct Example {
  const char* start;
  const char* rule;
  const char* occurrences;  // 'end' at the end of all of them
};

// RFC 5545, 3.8.5.3, in the order of the document.
constexpr Example kRfcExamples[] = {
    {"19970902T090000", "FREQ=DAILY;COUNT=10",
     "1997-09-02 1997-09-03 1997-09-04 1997-09-05 1997-09-06 1997-09-07 1997-09-08 1997-09-09 "
     "1997-09-10 1997-09-11 end"},
    {"19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000Z",
     "1997-09-02 1997-09-03 1997-09-04 1997-09-05 "},
    {"19970902T090000", "FREQ=DAILY;INTERVAL=2", "1997-09-02 1997-09-04 1997-09-06 1997-09-08 "},
    {"19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5",
     "1997-09-02 1997-09-12 1997-09-22 1997-10-02 1997-10-12 end"},
    {"19980101T090000", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
     "1998-01-01 1998-01-02 1998-01-03 1998-01-04 1998-01-05 "},
    {"19980101T090000", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
     "1998-01-01 1998-01-02 1998-01-03 1998-01-04 1998-01-05 "},
    {"19970902T090000", "FREQ=WEEKLY;COUNT=10",
     "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 1997-10-07 1997-10-14 1997-10-21 "
     "1997-10-28 1997-11-04 end"},
    {"19970902T090000", "FREQ=WEEKLY;UNTIL=19971224T000000Z",
     "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 1997-10-07 1997-10-14 1997-10-21 "
     "1997-10-28 1997-11-04 1997-11-11 1997-11-18 1997-11-25 1997-12-02 1997-12-09 1997-12-16 "
     "1997-12-23 end"},
    {"19970902T090000", "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
     "1997-09-02 1997-09-16 1997-09-30 1997-10-14 1997-10-28 1997-11-11 1997-11-25 1997-12-09 "
     "1997-12-23 1998-01-06 1998-01-20 1998-02-03 "},
    {"19970902T090000", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
     "1997-09-02 1997-09-04 1997-09-09 1997-09-11 1997-09-16 1997-09-18 1997-09-23 1997-09-25 "
     "1997-09-30 1997-10-02 end"},
    {"19970902T090000", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
     "1997-09-02 1997-09-04 1997-09-09 1997-09-11 1997-09-16 1997-09-18 1997-09-23 1997-09-25 "
     "1997-09-30 1997-10-02 end"},
    {"19970901T090000", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
     "1997-09-01 1997-09-03 1997-09-05 1997-09-15 1997-09-17 1997-09-19 1997-09-29 1997-10-01 "
     "1997-10-03 1997-10-13 1997-10-15 1997-10-17 1997-10-27 1997-10-29 1997-10-31 1997-11-10 "
     "1997-11-12 1997-11-14 1997-11-24 1997-11-26 1997-11-28 1997-12-08 1997-12-10 1997-12-12 "
     "1997-12-22 end"},
    {"19970902T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
     "1997-09-02 1997-09-04 1997-09-16 1997-09-18 1997-09-30 1997-10-02 1997-10-14 1997-10-16 end"},
    {"19970905T090000", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
     "1997-09-05 1997-10-03 1997-11-07 1997-12-05 1998-01-02 1998-02-06 1998-03-06 1998-04-03 "
     "1998-05-01 1998-06-05 end"},
    {"19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
     "1997-09-05 1997-10-03 1997-11-07 1997-12-05 end"},
    {"19970907T090000", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
     "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04 1998-01-25 1998-03-01 1998-03-29 "
     "1998-05-03 1998-05-31 end"},
    {"19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
     "1997-09-22 1997-10-20 1997-11-17 1997-12-22 1998-01-19 1998-02-16 end"},
    {"19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3",
     "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29 1998-02-26 "},
    {"19970902T090000", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
     "1997-09-02 1997-09-15 1997-10-02 1997-10-15 1997-11-02 1997-11-15 1997-12-02 1997-12-15 "
     "1998-01-02 1998-01-15 end"},
    {"19970930T090000", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
     "1997-09-30 1997-10-01 1997-10-31 1997-11-01 1997-11-30 1997-12-01 1997-12-31 1998-01-01 "
     "1998-01-31 1998-02-01 end"},
    {"19970910T090000", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
     "1997-09-10 1997-09-11 1997-09-12 1997-09-13 1997-09-14 1997-09-15 1999-03-10 1999-03-11 "
     "1999-03-12 1999-03-13 end"},
    {"19970902T090000", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
     "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 1997-11-04 1997-11-11 1997-11-18 "
     "1997-11-25 1998-01-06 1998-01-13 1998-01-20 1998-01-27 1998-03-03 "},
    {"19970610T090000", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
     "1997-06-10 1997-07-10 1998-06-10 1998-07-10 1999-06-10 1999-07-10 2000-06-10 2000-07-10 "
     "2001-06-10 2001-07-10 end"},
    {"19970310T090000", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
     "1997-03-10 1999-01-10 1999-02-10 1999-03-10 2001-01-10 2001-02-10 2001-03-10 2003-01-10 "
     "2003-02-10 2003-03-10 end"},
    {"19970101T090000", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
     "1997-01-01 1997-04-10 1997-07-19 2000-01-01 2000-04-09 2000-07-18 2003-01-01 2003-04-10 "
     "2003-07-19 2006-01-01 end"},
    {"19970519T090000", "FREQ=YEARLY;BYDAY=20MO", "1997-05-19 1998-05-18 1999-05-17 "},
    {"19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12 1998-05-11 1999-05-17 "},
    {"19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
     "1997-03-13 1997-03-20 1997-03-27 1998-03-05 1998-03-12 1998-03-19 1998-03-26 1999-03-04 "
     "1999-03-11 1999-03-18 1999-03-25 "},
    {"19970605T090000", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
     "1997-06-05 1997-06-12 1997-06-19 1997-06-26 1997-07-03 1997-07-10 1997-07-17 1997-07-24 "
     "1997-07-31 1997-08-07 1997-08-14 1997-08-21 1997-08-28 1998-06-04 "},
    {"19970902T090000", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
     "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13 "},
    {"19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
     "1997-09-13 1997-10-11 1997-11-08 1997-12-13 1998-01-10 1998-02-07 1998-03-07 1998-04-11 "
     "1998-05-09 1998-06-13 "},
    {"19961105T090000", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
     "1996-11-05 2000-11-07 2004-11-02 "},
    {"19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
     "1997-09-04 1997-10-07 1997-11-06 end"},
    {"19970929T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
     "1997-09-29 1997-10-30 1997-11-27 1997-12-30 1998-01-29 1998-02-26 1998-03-30 "},
    {"19970902T090000", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z",
     "1997-09-02 1997-09-02 12:00 1997-09-02 15:00 end"},
    {"19970902T090000", "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
     "1997-09-02 1997-09-02 09:15 1997-09-02 09:30 1997-09-02 09:45 1997-09-02 10:00 "
     "1997-09-02 10:15 end"},
    {"19970902T090000", "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
     "1997-09-02 1997-09-02 10:30 1997-09-02 12:00 1997-09-02 13:30 end"},
    {"19970902T090000", "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
     "1997-09-02 1997-09-02 09:20 1997-09-02 09:40 1997-09-02 10:00 1997-09-02 10:20 "},
    {"19970902T090000", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
     "1997-09-02 1997-09-02 09:20 1997-09-02 09:40 1997-09-02 10:00 1997-09-02 10:20 "},
    {"19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
     "1997-08-05 1997-08-10 1997-08-19 1997-08-24 end"},
    {"19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
     "1997-08-05 1997-08-17 1997-08-19 1997-08-31 end"},
    {"20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
     "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30 end"},
};

// What libraries for calendars read otherwise: findings/rrule-readers-differ.sh.
const Example kReadOtherwise[] = {
    {"20270108T090000", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1",
     "2027-01-08 2027-01-15 2027-01-22 2027-01-29 "},
    {"20270129T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,17;BYSETPOS=-2",
     "2027-01-29 2027-02-26 2027-03-31 2027-04-30 "},
    {"20270131T090000", "FREQ=MONTHLY;BYMONTHDAY=30,31,-1;BYSETPOS=-1",
     "2027-01-31 2027-02-28 2027-03-31 2027-04-30 "},
    {"20280229T090000", "FREQ=YEARLY;BYMONTHDAY=29",
     "2028-02-29 2028-03-29 2028-04-29 2028-05-29 "},
    {"20270813T090000", "FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR",
     "2027-08-13 2028-10-13 2029-04-13 2029-07-13 "},
    {"20270104T090000", "FREQ=MINUTELY;INTERVAL=45;BYHOUR=9,10",
     "2027-01-04 2027-01-04 09:45 2027-01-04 10:30 2027-01-05 "},
};

void ExpectOccurrences(const Example& example) {
  const std::string text = std::string("DTSTART:") + example.start + "\r\nRRULE:" + example.rule;
  SCOPED_TRACE(text);
  const std::string expected = example.occurrences;
  const bool ends = expected.ends_with("end");
  int most = ends ? 1000 : 0;
  for (const char* at = example.occurrences; !ends && (at = std::strchr(at, '-')) != nullptr;
       at += 6) {
    ++most;
  }
  EXPECT_EQ(First(text.c_str(), most), expected);
  EXPECT_FALSE(Schedule::Parse(text).Describe().empty());
}

TEST(CalendarRrule, WhatOthersReadOtherwise) {
  for (const Example& example : kReadOtherwise) {
    ExpectOccurrences(example);
  }
}

TEST(CalendarRrule, ExamplesOfTheRfc) {
  for (const Example& example : kRfcExamples) {
    ExpectOccurrences(example);
  }
  // "Every day in January, for 3 years", written in two ways, and "every 20 minutes from 9:00 to
  // 16:40", too.
  const FixedZone utc(0);
  for (const auto& [one, other] : {std::pair(4, 5), std::pair(37, 38)}) {
    const auto text = [](const Example& e) {
      return std::string("DTSTART:") + e.start + " RRULE:" + e.rule;
    };
    EXPECT_EQ(First(text(kRfcExamples[one]).c_str(), 500),
              First(text(kRfcExamples[other]).c_str(), 500));
  }
  EXPECT_EQ(Schedule::Parse("DTSTART:19980101T090000 "
                            "RRULE:FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1")
                .Count(kMinInstant, kEndInstant - 1, utc, 0, 1000),
            93);
}

TEST(CalendarRrule, FinePrint) {
  // DTSTART is an occurrence only if it matches.
  EXPECT_EQ(First("DTSTART:19970902T090000 RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2", 9),
            "1997-09-08 1997-09-15 end");
  // BYDAY with and without numbers is the union.
  EXPECT_EQ(First("DTSTART:19970901T090000 RRULE:FREQ=MONTHLY;BYDAY=MO,-1TU;COUNT=7", 9),
            "1997-09-01 1997-09-08 1997-09-15 1997-09-22 1997-09-29 1997-09-30 1997-10-06 end");
  // UNTIL as a date is the midnight at which it begins.
  EXPECT_EQ(First("DTSTART:19970902T090000 RRULE:FREQ=DAILY;UNTIL=19970904", 9),
            "1997-09-02 1997-09-03 end");
  EXPECT_EQ(First("DTSTART:19970902 RRULE:FREQ=DAILY;UNTIL=19970904", 9),
            "1997-09-02 00:00 1997-09-03 00:00 1997-09-04 00:00 end");
  // A date leaves out the day, COUNT counts what is left out; order and case do not matter.
  EXPECT_EQ(First("exdate;value=date:19970904,19970906\nrrule:count=5;freq=daily;byhour=9,12\n"
                  "dtstart:19970903T090000",
                  9),
            "1997-09-03 1997-09-03 12:00 1997-09-05 end");
  EXPECT_EQ(First("DTSTART:19970902T090000 RRULE:FREQ=DAILY;COUNT=10 EXDATE:19970904T090000 "
                  "EXDATE:19970905T100000",
                  3),
            "1997-09-02 1997-09-03 1997-09-05 ");
  EXPECT_EQ(First("DTSTART:19970902T090000 RRULE:FREQ=DAILY;COUNT=2 "
                  "RDATE:19970902T120000,19970905,19970902T090000 EXDATE:19970903T090000",
                  9),
            "1997-09-02 1997-09-02 12:00 1997-09-05 00:00 end");
  EXPECT_EQ(First("DTSTART:20240229T090000 RRULE:FREQ=YEARLY", 3),
            "2024-02-29 2028-02-29 2032-02-29 ");
  EXPECT_EQ(First("DTSTART:20960229T090000 RRULE:FREQ=YEARLY", 2), "2096-02-29 2104-02-29 ");
  EXPECT_EQ(First("DTSTART:39991231T090000 RRULE:FREQ=DAILY", 2), "3999-12-31 end");
  EXPECT_EQ(First("DTSTART:00010101T090000 RRULE:FREQ=YEARLY", 2), "0001-01-01 0002-01-01 ");
  // INTERVAL counts calendar years from that of DTSTART, each with its own weeks: 30 December 2025
  // is in week 1 of 2026, which is left out, and week 1 of 2031 begins in 2030.
  EXPECT_EQ(First("DTSTART:20251230T000000 RRULE:FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=TU", 3),
            "2027-01-05 00:00 2029-01-02 00:00 2030-12-31 00:00 ");
  EXPECT_EQ(First("DTSTART:20191230T090000 RRULE:FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO", 3),
            "2021-01-04 2023-01-02 2024-12-30 ");
  // 1 January 2027 is in week 53 of 2026.
  EXPECT_EQ(First("DTSTART:20270101T090000 RRULE:FREQ=YEARLY;INTERVAL=3;BYWEEKNO=-1;BYDAY=FR", 3),
            "2027-12-31 2030-12-27 2033-12-30 ");
  EXPECT_EQ(First("DTSTART:20270101T090000 RRULE:FREQ=YEARLY;BYWEEKNO=53;BYDAY=FR", 2),
            "2027-01-01 2032-12-31 ");
  EXPECT_EQ(
      First("DTSTART:20251230T090000 RRULE:FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=TU;COUNT=1", 3),
      "2027-01-05 end");
  EXPECT_EQ(First("DTSTART:20200101T090059 RRULE:FREQ=MINUTELY;BYSECOND=60;COUNT=2", 3),
            "2020-01-01 09:00:59 2020-01-01 09:01:59 end");
}

TEST(CalendarRrule, FoldedLines) {
  const char* const whole = "DTSTART:20270104T090000 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20270105";
  for (const char* text :
       {"DTSTART:20270104T090000\r\nRRULE:FREQ=DAILY;COU\r\n NT=3\r\nEXDATE:2027\r\n 0105",
        "DTSTART:20270104T09\n\t0000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20270105",
        "DTSTART:20270104T090000\r\n RRULE:FREQ=DAILY;COUNT=3\r\n EXDATE:20270105",
        "DTSTART:20270104T090000\n  RRULE:FREQ=DAILY;COUNT=3\n  EXDATE:20270105\n ",
        "DTSTART:20270104T090000 \r\n RRULE:FREQ=DAILY\r\n ;COUNT=3 EXDATE:20270105"}) {
    EXPECT_EQ(Schedule::Parse(text), Schedule::Parse(whole)) << text;
  }
}

TEST(CalendarRrule, WithoutStartTheAnchorIsIt) {
  const FixedZone utc(0);
  const Instant anchor = Utc("2026-01-31 10:20:30");
  const auto at = [&](const char* text, int most) {
    return Occurrences(Schedule::Parse(text), utc, most, anchor);
  };
  EXPECT_EQ(at("RRULE:FREQ=DAILY", 2), "2026-01-31 10:20:30 2026-02-01 10:20:30 ");
  EXPECT_EQ(at("RRULE:FREQ=MONTHLY", 2), "2026-01-31 10:20:30 2026-03-31 10:20:30 ");
  EXPECT_EQ(at("RRULE:FREQ=DAILY;COUNT=2", 9), "2026-01-31 10:20:30 2026-02-01 10:20:30 end");
  // Minutes and seconds are not the anchor's if the hour is given.
  EXPECT_EQ(at("RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18", 2), "2026-02-27 18:00 2026-03-27 18:00 ");
  EXPECT_EQ(at("RRULE:FREQ=HOURLY;BYMINUTE=30", 1), "2026-01-31 10:30 ");
  // Fractions of a second: the first full second from there on.
  EXPECT_EQ(Occurrences(Schedule::Parse("RRULE:FREQ=DAILY"), utc, 1, anchor - 1),
            "2026-01-31 10:20:30 ");
  for (const Instant extreme : {INT64_MIN, kMinInstant, kEndInstant - 1, kEndInstant, kNever}) {
    const Schedule schedule = Schedule::Parse("RRULE:FREQ=YEARLY;BYMONTH=2");
    EXPECT_GE(schedule.Next(kMinInstant, utc, extreme), kMinInstant);
    EXPECT_EQ(schedule.Last(kMinInstant, kMinInstant + 1, utc, extreme), kNever);
    EXPECT_LE(schedule.AnchorBefore(INT64_MIN, utc, extreme), std::max(extreme, kMinInstant));
  }
  // With such intervals the calendar is the same again only beyond all instants.
  for (const char* text :
       {"RRULE:FREQ=MONTHLY;INTERVAL=32767", "RRULE:FREQ=YEARLY;INTERVAL=32767"}) {
    EXPECT_EQ(Schedule::Parse(text).AnchorBefore(kMinInstant, utc, anchor), anchor);
  }
}

TEST(CalendarRrule, MeetsDaylightSavingOnTheWallClock) {
  const TzifZone berlin("Europe/Berlin");
  const auto utc_times = [&](const char* text, int most) {
    const Schedule schedule = Schedule::Parse(text);
    std::string result;
    Instant t = kMinInstant;
    for (int i = 0; i < most && (t = schedule.Next(t, berlin, 0)) != kNever; ++i) {
      result += UtcText(t).substr(5, 11) + ' ';
    }
    return result;
  };
  // In the gap: once, at the first valid instant after it. Repeated: in the first pass.
  EXPECT_EQ(utc_times("DTSTART:20260328T023000 RRULE:FREQ=DAILY", 3),
            "03-28 01:30 03-29 01:00 03-30 00:30 ");
  EXPECT_EQ(utc_times("DTSTART:20261024T023000 RRULE:FREQ=DAILY", 3),
            "10-24 00:30 10-25 00:30 10-26 01:30 ");
  EXPECT_EQ(utc_times("DTSTART:20260329T010000 RRULE:FREQ=MINUTELY;INTERVAL=30", 5),
            "03-29 00:00 03-29 00:30 03-29 01:00 03-29 01:30 03-29 02:00 ");
  EXPECT_EQ(utc_times("DTSTART:20261025T013000 RRULE:FREQ=MINUTELY;INTERVAL=30", 5),
            "10-24 23:30 10-25 00:00 10-25 00:30 10-25 02:00 10-25 02:30 ");
  // With Z all of it is in UTC; instants in UNTIL and EXDATE are instants.
  EXPECT_EQ(utc_times("DTSTART:20260328T013000Z RRULE:FREQ=DAILY;COUNT=3", 9),
            "03-28 01:30 03-29 01:30 03-30 01:30 ");
  EXPECT_EQ(utc_times("DTSTART:20260328T023000 RRULE:FREQ=DAILY;UNTIL=20260330T002959Z", 9),
            "03-28 01:30 03-29 01:00 ");
  EXPECT_EQ(
      utc_times("DTSTART:20260328T023000 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20260329T010000Z", 9),
      "03-28 01:30 03-30 00:30 ");
  // A day that did not exist.
  const TzifZone apia("Pacific/Apia");
  EXPECT_EQ(
      Occurrences(Schedule::Parse("DTSTART:20111229T090000 RRULE:FREQ=DAILY;COUNT=3"), apia, 9),
      "2011-12-29 2011-12-31 end");
}

TEST(CalendarRrule, HasAPastForBackfills) {
  const FixedZone utc(0);
  const Instant since = Utc("2026-01-31 10:20:30") + 123;
  for (const char* text :
       {"RRULE:FREQ=DAILY;INTERVAL=3", "RRULE:FREQ=MONTHLY;INTERVAL=2",
        "RRULE:FREQ=YEARLY;BYMONTH=5", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
        "RRULE:FREQ=HOURLY;INTERVAL=7;BYHOUR=1,2,3", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18",
        "RRULE:FREQ=MINUTELY;INTERVAL=17"}) {
    SCOPED_TRACE(text);
    const Schedule schedule = Schedule::Parse(text);
    const Instant from = Utc("2024-03-01 00:00");
    const Instant anchor = schedule.AnchorBefore(from, utc, since);
    EXPECT_LE(anchor, from);
    EXPECT_LT(schedule.Next(from, utc, anchor), since);
    Instant expected = since;
    Instant t = since;
    for (int i = 0; i < 50; ++i) {
      expected = schedule.Next(expected, utc, since);
      t = schedule.Next(t, utc, anchor);
      ASSERT_EQ(UtcText(t), UtcText(expected));
    }
  }
  // COUNT and DTSTART are a beginning.
  EXPECT_EQ(Schedule::Parse("RRULE:FREQ=DAILY;COUNT=3").AnchorBefore(0, utc, since), since);
}

TEST(CalendarRrule, CostsLittle) {
  const FixedZone utc(0);
  // What makes libical step without end, or from the beginning.
  for (const char* text :
       {"DTSTART:20000101T000000 RRULE:FREQ=DAILY;BYMONTHDAY=-1",
        "DTSTART:20000101T000000 RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=23;BYMINUTE=59;"
        "BYSECOND=59",
        "DTSTART:20000101T000000 RRULE:FREQ=MINUTELY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
        "DTSTART:20000101T000000 RRULE:FREQ=SECONDLY;COUNT=100000",
        "DTSTART:20000101T000000 RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU"}) {
    SCOPED_TRACE(text);
    const Schedule schedule = Schedule::Parse(text);
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i) {
      schedule.Next(Utc("2096-03-01 00:00") + i * kDay, utc, 0);
      schedule.Last(kMinInstant, Utc("2104-02-01 00:00") + i * kDay, utc, 0);
    }
    // Thousands of times what it takes.
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  }
}

TEST(CalendarRrule, SaysWhatIsWrong) {
  struct Wrong {
    const char* text;
    const char* message;
    const char* hint;
  };
  static constexpr Wrong kWrong[] = {
      {"RRULE:FREQ=DAILY;BYMONTH=13", "invalid rule part \"BYMONTH=13\"", "from 1 to 12"},
      {"RRULE:FREQ=DAILY;BYMONTH=", "invalid rule part \"BYMONTH=\"", "from 1 to 12"},
      {"RRULE:FREQ=DAILY;BYMONTH=1,,2", "invalid rule part \"BYMONTH=\"", "from 1 to 12"},
      {"RRULE:FREQ=DAILY;BYHOUR=24", "invalid rule part \"BYHOUR=24\"", "from 0 to 23"},
      {"RRULE:FREQ=DAILY;BYMONTHDAY=0", "invalid rule part \"BYMONTHDAY=0\"", "from -1 to -31"},
      {"RRULE:FREQ=YEARLY;BYYEARDAY=-367", "invalid rule part \"BYYEARDAY=-367\"", "366"},
      {"RRULE:FREQ=DAILY;INTERVAL=0", "invalid rule part \"INTERVAL=0\"", "from 1 to 32767"},
      {"RRULE:FREQ=DAILY;COUNT=100001", "invalid rule part \"COUNT=100001\"", "100000"},
      {"RRULE:FREQ=DAILY;COUNT=1;UNTIL=20300101", "invalid rule part \"COUNT=1\"", "not by both"},
      {"RRULE:FREQ=DAILY;UNTIL=20300230", "invalid rule part \"UNTIL=20300230\"", "midnight"},
      {"RRULE:FREQ=DAILY;FREQ=DAILY", "second rule part \"FREQ=DAILY\"", "once"},
      {"RRULE:FREQ=DAILY;BYEASTER=1", "invalid rule part \"BYEASTER=1\"", "BYSETPOS"},
      {"RRULE:BYHOUR=1", "RRULE without FREQ", "SECONDLY"},
      {"RRULE:FREQ=FORTNIGHTLY", "\"FREQ=FORTNIGHTLY\"", "WEEKLY"},
      {"RRULE:FREQ=WEEKLY;BYDAY=2MO", "\"BYDAY=2MO\"", "FREQ=MONTHLY"},
      {"RRULE:FREQ=MONTHLY;BYDAY=6MO", "\"BYDAY=6MO\"", "five"},
      {"RRULE:FREQ=MONTHLY;BYDAY=XX", "\"BYDAY=XX\"", "-1FR"},
      {"RRULE:FREQ=MONTHLY;BYWEEKNO=1", "\"BYWEEKNO=1\"", "YEARLY"},
      {"RRULE:FREQ=MONTHLY;BYYEARDAY=1", "\"BYYEARDAY=1\"", "MONTHLY"},
      {"RRULE:FREQ=WEEKLY;BYMONTHDAY=1", "\"BYMONTHDAY=1\"", "FREQ=DAILY"},
      {"RRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "\"BYDAY=1MO\"", "BYWEEKNO"},
      {"RRULE:FREQ=DAILY;BYSETPOS=1", "\"BYSETPOS=1\"", "chooses"},
      {"RRULE:FREQ=DAILY;RSCALE=HEBREW", "\"RSCALE=HEBREW\"", "Gregorian"},
      {"RRULE:FREQ=DAILY RRULE:FREQ=DAILY", "second RRULE", "second job"},
      {"DTSTART:20260101 DTSTART:20260101 RRULE:FREQ=DAILY", "second DTSTART", "once"},
      {"DTSTART:20260101T250000 RRULE:FREQ=DAILY", "time \"20260101T250000\"", "20270131T090000"},
      {"DTSTART;TZID=Europe/Paris:20260101T000000 RRULE:FREQ=DAILY", "TZID=Europe/Paris",
       "time_zone"},
      {"RRULE:FREQ=DAILY RDATE;VALUE=PERIOD:20260101T000000Z/PT1H", "VALUE=PERIOD", "VALUE=DATE"},
      {"RRULE:FREQ=DAILY RDATE:20260101T000000Z/PT1H", "20260101T000000Z/PT1H", "period"},
      {"RRULE:FREQ=DAILY DURATION:PT1H", "property \"DURATION:PT1H\"", "timeout"},
      {"RRULE:FREQ=DAILY EXRULE:FREQ=WEEKLY", "\"EXRULE:FREQ=WEEKLY\"", "EXDATE"},
      {"RRULE:FREQ=DAILY nonsense", "property \"nonsense\"", "RRULE"},
      {"DTSTART:20260101T000000", "has no RRULE", "RRULE"},
      {"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never runs", "match"},
      {"RRULE:FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31;BYHOUR=1", "never runs", "match"},
      {"RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30", "never runs", "match"},
      {"RRULE:FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=2", "never runs", "match"},
      {"DTSTART:20210101T000000 RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "never runs",
       "match"},
      {"DTSTART:20210101T060000 RRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=5", "never runs", "match"},
      {"DTSTART:20210101T000000 RRULE:FREQ=DAILY;UNTIL=20200101", "never runs", "UNTIL"},
      {"DTSTART:20210101T000000 RRULE:FREQ=DAILY;COUNT=1 EXDATE:20210101", "never runs", "EXDATE"},
  };
  for (const Wrong& wrong : kWrong) {
    try {
      Schedule::Parse(wrong.text);
      ADD_FAILURE() << wrong.text << " was taken";
    } catch (const ScheduleError& error) {
      EXPECT_NE(std::string(error.what()).find(wrong.message), std::string::npos) << error.what();
      EXPECT_NE(error.hint().find(wrong.hint), std::string::npos) << wrong.text << error.hint();
    }
  }
}

TEST(CalendarRrule, SaysWhatItIs) {
  static constexpr const char* kTexts[][2] = {
      {"RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18", "at 18:00 on the last Friday of every month"},
      {"DTSTART:19970902T090000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=10 "
       "EXDATE:19970904T090000",
       "every 2 weeks on Monday and Wednesday at 09:00, 10 times from 1997-09-02 09:00, except "
       "1997-09-04 09:00"},
      {"RRULE:FREQ=DAILY", "at the time of day of its start every day"},
      {"RRULE:FREQ=DAILY;BYHOUR=9;BYDAY=MO,TU,WE,TH,FR", "at 09:00 on Monday to Friday"},
      {"RRULE:FREQ=YEARLY;BYDAY=20MO;BYHOUR=1", "at 01:00 on the 20th Monday of the year"},
      {"RRULE:FREQ=MONTHLY;BYMONTHDAY=13,-2;BYDAY=FR;BYHOUR=1;BYMINUTE=2;BYSECOND=3",
       "at 01:02:03 on Friday if it is also on day 13 and the second to last day of every month"},
      {"RRULE:FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11;BYMONTH=6;BYDAY=SU",
       "every 20 minutes at second 0, only in hours 9 to 11, only on Sunday in June, counted from "
       "its "
       "start"},
      {"DTSTART:20260101T070000Z RRULE:FREQ=YEARLY;UNTIL=20300101",
       "at 07:00 UTC on day 1 of the month in January, from 2026-01-01 07:00 UTC until 2030-01-01 "
       "00:00 UTC"},
      {"RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17",
       "at 17:00 on Monday to Friday, of these only the last in each month"},
  };
  for (const auto& text : kTexts) {
    EXPECT_EQ(Schedule::Parse(text[0]).Describe(), text[1]);
  }
}

}  // namespace
}  // namespace ratchet::calendar
