#include <ctime>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/civil.h"
#include "calendar/zone.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

TEST(Civil, DaysAndDatesAgreeWithTheCalendarOneDayAtATime) {
  CivilDate date{1599, 12, 31};
  std::int64_t days = DaysFromCivil(date);
  int weekday = WeekdayFromDays(days);
  for (; date.year < 2402; ++days) {
    ASSERT_EQ(DaysFromCivil(date), days) << date.year << '-' << date.month << '-' << date.day;
    ASSERT_EQ(CivilFromDays(days), date);
    ASSERT_EQ(WeekdayFromDays(days), weekday);
    weekday = (weekday + 1) % 7;
    if (++date.day > DaysInMonth(date.year, date.month)) {
      date.day = 1;
      if (++date.month > 12) {
        date.month = 1;
        ++date.year;
      }
    }
  }
}

TEST(Civil, KnowsTheEndsOfPostgresqlsTimestamps) {
  EXPECT_EQ(DaysFromCivil({-4713, 11, 24}) * kDay, kMinInstant);
  EXPECT_EQ(DaysFromCivil({294277, 1, 1}) * kDay, kEndInstant);
  EXPECT_EQ(CivilFromDays(kMinInstant / kDay), (CivilDate{-4713, 11, 24}));
  EXPECT_EQ(WeekdayFromDays(DaysFromCivil({2000, 1, 1})), 6);
  EXPECT_EQ(WeekdayFromDays(DaysFromCivil({1969, 7, 20})), 0);
}

TEST(Civil, AddMonthsKeepsToTheEndOfShortMonths) {
  EXPECT_EQ(AddMonths({2027, 1, 31}, 1), (CivilDate{2027, 2, 28}));
  EXPECT_EQ(AddMonths({2028, 1, 31}, 1), (CivilDate{2028, 2, 29}));
  EXPECT_EQ(AddMonths({2027, 1, 31}, 2), (CivilDate{2027, 3, 31}));
  EXPECT_EQ(AddMonths({2027, 1, 31}, -2), (CivilDate{2026, 11, 30}));
  EXPECT_EQ(AddMonths({2028, 2, 29}, 12), (CivilDate{2029, 2, 28}));
  EXPECT_EQ(AddMonths({1, 1, 1}, -1), (CivilDate{0, 12, 1}));
}

TEST(Civil, FloorDivRoundsDown) {
  EXPECT_EQ(FloorDiv(-1, kDay), -1);
  EXPECT_EQ(FloorDiv(-kDay, kDay), -1);
  EXPECT_EQ(FloorDiv(kDay - 1, kDay), 0);
  EXPECT_EQ(TimeOfLocal(-1), kDay - 1);
}

// Guards the other tests: the zone they use has to agree with the C library's reader.
TEST(TzifZone, AgreesWithTheCLibrary) {
  const char* previous = std::getenv("TZ");
  const std::string saved = previous == nullptr ? "" : previous;
  for (const char* name : {"Europe/Berlin", "America/New_York", "Pacific/Apia", "America/Nuuk",
                           "Australia/Lord_Howe", "Asia/Tehran", "Africa/Casablanca"}) {
    const TzifZone zone(name);
    ::setenv("TZ", name, 1);
    ::tzset();
    for (Instant t = Utc("1975-01-01 00:00"); t < Utc("2060-01-01 00:00"); t += 61 * kHour) {
      const std::time_t unix_time = t / kSecond + 946684800;
      std::tm local{};
      ::localtime_r(&unix_time, &local);
      ASSERT_EQ(zone.OffsetAt(t), local.tm_gmtoff) << name << ' ' << UtcText(t);
    }
  }
  previous == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", saved.c_str(), 1);
  ::tzset();
}

struct ResolveCase {
  const char* zone;
  const char* local;
  LocalKind kind;
  const char* first;
  const char* second;
};

TEST(Resolve, FindsGapsAndRepeatedHours) {
  const ResolveCase cases[] = {
      {"Europe/Berlin", "2026-07-01 12:00", LocalKind::kUnique, "2026-07-01 10:00", nullptr},
      {"Europe/Berlin", "2026-03-29 01:59:59", LocalKind::kUnique, "2026-03-29 00:59:59", nullptr},
      {"Europe/Berlin", "2026-03-29 02:00", LocalKind::kGap, "2026-03-29 01:00", nullptr},
      {"Europe/Berlin", "2026-03-29 02:59:59", LocalKind::kGap, "2026-03-29 01:00", nullptr},
      {"Europe/Berlin", "2026-03-29 03:00", LocalKind::kUnique, "2026-03-29 01:00", nullptr},
      {"Europe/Berlin", "2026-10-25 01:59:59", LocalKind::kUnique, "2026-10-24 23:59:59", nullptr},
      {"Europe/Berlin", "2026-10-25 02:00", LocalKind::kRepeated, "2026-10-25 00:00",
       "2026-10-25 01:00"},
      {"Europe/Berlin", "2026-10-25 02:59:59", LocalKind::kRepeated, "2026-10-25 00:59:59",
       "2026-10-25 01:59:59"},
      {"Europe/Berlin", "2026-10-25 03:00", LocalKind::kUnique, "2026-10-25 02:00", nullptr},
      {"America/New_York", "2026-03-08 02:30", LocalKind::kGap, "2026-03-08 07:00", nullptr},
      {"America/New_York", "2026-11-01 01:30", LocalKind::kRepeated, "2026-11-01 05:30",
       "2026-11-01 06:30"},
      // Half an hour.
      {"Australia/Lord_Howe", "2026-10-04 02:15", LocalKind::kGap, "2026-10-03 15:30", nullptr},
      {"Australia/Lord_Howe", "2026-04-05 01:45", LocalKind::kRepeated, "2026-04-04 14:45",
       "2026-04-04 15:15"},
      // At midnight.
      {"America/Sao_Paulo", "2018-11-04 00:00", LocalKind::kGap, "2018-11-04 03:00", nullptr},
      {"America/Sao_Paulo", "2018-02-17 23:30", LocalKind::kRepeated, "2018-02-18 01:30",
       "2018-02-18 02:30"},
      // A day that was left out, and one that was there twice.
      {"Pacific/Apia", "2011-12-30 12:00", LocalKind::kGap, "2011-12-30 10:00", nullptr},
      {"Pacific/Kwajalein", "1969-09-30 12:00", LocalKind::kRepeated, "1969-09-30 01:00",
       "1969-10-01 00:00"},
      {"Asia/Kathmandu", "2026-01-01 00:00", LocalKind::kUnique, "2025-12-31 18:15", nullptr},
  };
  for (const ResolveCase& c : cases) {
    const TzifZone zone(c.zone);
    const Resolution at = Resolve(Utc(c.local), zone);
    SCOPED_TRACE(std::string(c.zone) + ' ' + c.local);
    EXPECT_EQ(at.kind, c.kind);
    EXPECT_EQ(UtcText(at.first), UtcText(Utc(c.first)));
    EXPECT_EQ(UtcText(at.second), UtcText(Utc(c.second == nullptr ? c.first : c.second)));
  }
}

TEST(Resolve, TellsTheReadingsOfAGapAndOfARepeatedHour) {
  const TzifZone berlin("Europe/Berlin");
  const Resolution gap = Resolve(Utc("2026-03-29 02:30"), berlin);
  EXPECT_EQ(gap.local_begin, Utc("2026-03-29 02:00"));
  EXPECT_EQ(gap.local_end, Utc("2026-03-29 03:00"));
  const Resolution repeated = Resolve(Utc("2026-10-25 02:30"), berlin);
  EXPECT_EQ(repeated.local_begin, Utc("2026-10-25 02:00"));
  EXPECT_EQ(repeated.local_end, Utc("2026-10-25 03:00"));
}

TEST(Resolve, IsTheInverseOfLocalAt) {
  for (const char* name : {"Europe/Berlin", "Pacific/Apia", "Africa/Casablanca"}) {
    const TzifZone zone(name);
    for (Instant t = Utc("1930-01-01 00:00"); t < Utc("2030-01-01 00:00"); t += 7 * kHour) {
      const Resolution at = Resolve(LocalAt(t, zone), zone);
      ASSERT_NE(at.kind, LocalKind::kGap) << name << ' ' << UtcText(t);
      ASSERT_TRUE(at.first == t || at.second == t) << name << ' ' << UtcText(t);
    }
  }
}

TEST(Resolve, FixedZonesHaveNeitherGapsNorRepeatedHours) {
  const FixedZone zone(5 * 3600 + 1800);
  const Resolution at = Resolve(Utc("2026-03-29 02:30"), zone);
  EXPECT_EQ(at.kind, LocalKind::kUnique);
  EXPECT_EQ(UtcText(at.first), "2026-03-28 21:00:00");
}

}  // namespace
}  // namespace ratchet::calendar
