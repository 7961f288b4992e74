#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/name_hash.h"
#include "calendar/schedule.h"
#include "tzif_zone.h"
#include "utc_text.h"

// 'H' in cron lines: what the name chooses, and what is said about it.

namespace ratchet::calendar {
namespace {

// The first occurrence of 2027, by the clock.
std::string First(const char* text, const char* job_name) {
  return UtcText(
      Schedule::Parse(text, job_name).Next(Utc("2027-01-01 00:00") - 1, FixedZone(0), 0));
}

std::string Name(int i) { return "job " + std::to_string(i); }

// Changing these numbers moves the runs of every job that uses 'H'.
TEST(Hash, IsTheSameForEver) {
  EXPECT_EQ(NameHash("", 0), 0x6bcb9d63eb8eab8bU);
  EXPECT_EQ(NameHash("price orders", 1), 0x6ef47db22abbceb5U);
  EXPECT_EQ(First("H * * * *", "price orders"), "2027-01-01 00:13:00");
  EXPECT_EQ(First("H H * * *", "price orders"), "2027-01-01 09:13:00");
  EXPECT_EQ(First("H H * * *", ""), First("H H * * *", ""));
}

TEST(Hash, ChoosesEachValueEquallyOften) {
  constexpr int kNames = 60000;
  struct Field {
    const char* text;
    int first;
    int values;
    int (*value)(Instant);
  };
  const Field fields[] = {
      {"H 0 0 1 1 *", 0, 60, [](Instant t) { return static_cast<int>(t / kSecond % 60); }},
      {"H 0 1 1 *", 0, 60, [](Instant t) { return static_cast<int>(t / kMinute % 60); }},
      {"H(10-29) 0 1 1 *", 10, 20, [](Instant t) { return static_cast<int>(t / kMinute % 60); }},
      {"0 H 1 1 *", 0, 24, [](Instant t) { return static_cast<int>(t / kHour % 24); }},
      {"0 0 H 1 *", 1, 28, [](Instant t) { return CivilFromDays(t / kDay).day; }},
      {"0 0 1 H *", 1, 12, [](Instant t) { return CivilFromDays(t / kDay).month; }},
      {"0 0 * * H", 0, 7, [](Instant t) { return WeekdayFromDays(t / kDay); }},
      {"0 0 * * H(0-7)", 0, 7, [](Instant t) { return WeekdayFromDays(t / kDay); }},
      {"0 0 * * H(FRI-MON)", 5, 4,
       [](Instant t) { return (WeekdayFromDays(t / kDay) + 2) % 7 + 5; }},
      {"H/15 0 1 1 *", 0, 15, [](Instant t) { return static_cast<int>(t / kMinute % 60); }},
  };
  for (const Field& field : fields) {
    std::vector<int> counts(100);
    for (int i = 0; i < kNames; ++i) {
      const Schedule schedule = Schedule::Parse(field.text, Name(i));
      ++counts[field.value(schedule.Next(Utc("2027-01-01 00:00") - 1, FixedZone(0), 0))];
    }
    // Chi squared has the mean n - 1 and the variance 2 (n - 1): six deviations are not by chance.
    const double expected = static_cast<double>(kNames) / field.values;
    double chi = 0;
    int inside = 0;
    for (int value = field.first; value < field.first + field.values; ++value) {
      const double difference = counts[value] - expected;
      chi += difference * difference / expected;
      inside += counts[value];
    }
    EXPECT_EQ(inside, kNames) << field.text;
    EXPECT_LT(chi, field.values - 1 + 6 * std::sqrt(2.0 * (field.values - 1))) << field.text;
  }
}

TEST(Hash, FieldsAreIndependentOfEachOther) {
  std::set<std::pair<Instant, Instant>> seen;
  for (int i = 0; i < 60 * 24; ++i) {
    const Instant t = Schedule::Parse("H H * * *", Name(i)).Next(-1, FixedZone(0), 0);
    seen.emplace(t / kHour, t / kMinute % 60);
  }
  // Of n draws from n values, 63 % of the values are drawn.
  EXPECT_GT(seen.size(), 860u);
}

TEST(Hash, RangesStepsAndLists) {
  const FixedZone utc(0);
  for (int i = 0; i < 300; ++i) {
    const std::string name = Name(i);
    const auto minutes = [&](const char* text) {
      std::vector<int> found;
      const Schedule schedule = Schedule::Parse(text, name);
      for (Instant t = schedule.Next(-1, utc, 0); t < kHour; t = schedule.Next(t, utc, 0)) {
        found.push_back(static_cast<int>(t / kMinute));
      }
      return found;
    };
    const int h = minutes("H * * * *").at(0);
    EXPECT_EQ(minutes("H/15 * * * *"),
              (std::vector<int>{h % 15, h % 15 + 15, h % 15 + 30, h % 15 + 45}));
    EXPECT_EQ(minutes("h(0-29),H(30-59) * * * *"), (std::vector<int>{h % 30, h % 30 + 30}));
    std::vector<int> up_to_40;
    for (int minute = 10 + static_cast<int>(NameHash(name, 1) % 7); minute <= 40; minute += 7) {
      up_to_40.push_back(minute);
    }
    EXPECT_EQ(minutes("H(10-40)/7 * * * *"), up_to_40);
    EXPECT_EQ(minutes("H,30 * * * *").size(), h == 30 ? 1u : 2u);
    EXPECT_EQ(minutes("30,H * * * *"), minutes("H,30 * * * *"));
    EXPECT_EQ(minutes("H(7-7) * * * *"), (std::vector<int>{7}));
    EXPECT_EQ(minutes("H/1 * * * *").size(), 60u);
    const CivilDate date = CivilFromDays(
        Schedule::Parse("0 0 1 H(NOV-FEB) *", name).Next(Utc("2027-03-01 00:00"), utc, 0) / kDay);
    EXPECT_TRUE(date.month >= 11 || date.month <= 2) << date.month;
  }
}

TEST(Hash, CountsAsAFixedFieldForDaylightSaving) {
  const TzifZone berlin("Europe/Berlin");
  for (int i = 0; i < 50; ++i) {
    // Once on the day with the gap, once on the day with 25 hours.
    const Schedule daily = Schedule::Parse("H H(1-3) * * *", Name(i));
    EXPECT_EQ(daily.Count(Utc("2026-03-28 23:00"), Utc("2026-03-29 21:59:59"), berlin, 0, 9), 1);
    EXPECT_EQ(daily.Count(Utc("2026-10-24 22:00") - 1, Utc("2026-10-25 22:59:59"), berlin, 0, 9),
              1);
    // By elapsed time, because of the '*' in the hour.
    const Schedule hourly = Schedule::Parse("H * * * *", Name(i));
    EXPECT_EQ(hourly.Count(Utc("2026-10-24 22:00") - 1, Utc("2026-10-25 22:59:59"), berlin, 0, 99),
              25);
  }
  // A day of the month and a weekday that are both chosen are alternatives, as fixed ones are.
  EXPECT_GT(Schedule::Parse("0 0 H * H", "x")
                .Count(Utc("2027-01-01 00:00"), Utc("2028-01-01 00:00"), FixedZone(0), 0, 1000),
            52);
}

TEST(Hash, TellsWhichTextsDependOnTheName) {
  for (const char* text : {"H * * * *", " h 5 1 1 1", "0 H 1 1 1", "0 0 * * H", "30,H 5 1 1 1",
                           "H,30 5 1 1 1", "0 5,H 1 1 1", "0 H,H 1 1 1", "H(0-29) 5 1 1 1",
                           "0 H/3 1 1 1", "H/15 9 1 1 1", "0 0 0 H 1 *", "0 0 H(29-31) 2 *"}) {
    EXPECT_TRUE(DependsOnName(text)) << text;
  }
  for (const char* text : {"", "h", "2 h", "2 H 1 min 5 s", "every h", "0 0 * MARCH THU", "@hourly",
                           "H/1 * * * *", "H(5-5) * * * *", "at 2027-01-01 00:00", "H * * *",
                           "H5 * * * *", "5 h after completion", "every H * * * *", "@H"}) {
    EXPECT_FALSE(DependsOnName(text)) << text;
  }
  EXPECT_FALSE(DependsOnName(std::string(3000, 'H')));
  for (const char* text : {"2 h", "0 0 * MARCH THU", "H/1 * * * *", "@daily"}) {
    EXPECT_EQ(Schedule::Parse(text, "a"), Schedule::Parse(text, "b")) << text;
  }
}

TEST(Hash, DescribesWhatTheTextMeansForAnyJob) {
  const std::pair<const char*, const char*> cases[] = {
      {"H * * * *", "at a minute chosen by the job's name past every hour"},
      {"H(0-29) * * * *", "at a minute from 0 to 29 chosen by the job's name past every hour"},
      {"H/15 * * * *", "at every 15th minute (the first chosen by the job's name) past every hour"},
      {"H(10-40)/2 9 * * *",
       "at every 2nd minute from 10 to 40 (the first chosen by the job's name) past hour 9 every "
       "day"},
      {"H,30 * * * *", "at minute 30 and a minute chosen by the job's name past every hour"},
      {"H H * * *",
       "at a minute chosen by the job's name past an hour chosen by the job's name every day"},
      {"0 H(22-23) * * MON-FRI",
       "at minute 0 past an hour from 22 to 23 chosen by the job's name on Monday to Friday"},
      {"H * * * * *", "at a second chosen by the job's name of every minute"},
      {"H 0 9 * * *", "at a second chosen by the job's name of minute 0 past hour 9 every day"},
      {"0 9 H * *", "at 09:00 on a day of the month from 1 to 28 chosen by the job's name"},
      {"0 9 1,H(10-20) * *",
       "at 09:00 on day 1 of the month and a day of the month from 10 to 20 chosen by the job's "
       "name"},
      {"0 9 * * H", "at 09:00 on a day of the week chosen by the job's name"},
      {"0 9 * * H(FRI-MON)",
       "at 09:00 on a day of the week from Friday to Monday chosen by the job's name"},
      {"0 9 1 H *", "at 09:00 on day 1 of the month in a month chosen by the job's name"},
      {"0 9 1 H(NOV-FEB)/2 *",
       "at 09:00 on day 1 of the month in every 2nd month from November to February (the first "
       "chosen by the job's name)"},
      {"0 9 * * 1", "at 09:00 on Monday"},
      {"2 h", "every 2 hours"},
  };
  for (const auto& [text, description] : cases) {
    EXPECT_EQ(DescribeSchedule(text), description) << text;
  }
  // With a name there is nothing left open.
  EXPECT_EQ(Schedule::Parse("H H * * *", "price orders").Describe(), "at 09:13 every day");
  EXPECT_THROW(DescribeSchedule("H5 * * * *"), ScheduleError);
}

}  // namespace
}  // namespace ratchet::calendar
