// Random rules against a model of RFC 5545, and against themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "calendar/rrule_parts.h"
#include "calendar/schedule.h"
#include "rrule_model.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  int Number(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random_);
  }
  bool Chance(int percent) { return Number(1, 100) <= percent; }

  std::string Rule(bool with_start) {
    static constexpr const char* kFrequencies[] = {"SECONDLY", "MINUTELY", "HOURLY", "DAILY",
                                                   "WEEKLY",   "MONTHLY",  "YEARLY"};
    const int f = Chance(70) ? Number(3, 6) : Number(0, 2);
    std::string text = std::string("RRULE:FREQ=") + kFrequencies[f];
    if (Chance(50)) {
      text += ";INTERVAL=" + std::to_string(Chance(80) ? Number(1, 5) : Number(1, 60));
    }
    bool has_by = false;
    const auto add = [&](int percent, const char* name, int least, int most, bool from_end) {
      if (!Chance(percent)) {
        return;
      }
      has_by = true;
      text += std::string(";") + name + '=';
      for (int n = Number(1, 4); n > 0; --n) {
        const int value = Number(least, most);
        text += (from_end && Chance(40) ? "-" : "") + std::to_string(value) + (n > 1 ? "," : "");
      }
    };
    const bool in_weeks = f == 6 && Chance(25);
    add(25, "BYMONTH", 1, 12, false);
    if (in_weeks) {
      add(100, "BYWEEKNO", 1, 53, true);
    }
    if (f == 6 || f < 3) {
      add(f == 6 ? 15 : 5, "BYYEARDAY", 1, 366, true);
    }
    if (f != 4) {
      add(25, "BYMONTHDAY", 1, 31, true);
    }
    if (Chance(40)) {
      has_by = true;
      static constexpr const char* kDays[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
      const bool in_month = f == 5 || text.find("BYMONTH=") != std::string::npos;
      text += ";BYDAY=";
      for (int n = Number(1, 4); n > 0; --n) {
        if (f >= 5 && !in_weeks && Chance(50)) {
          text += (Chance(40) ? "-" : "") + std::to_string(Number(1, in_month ? 5 : 53));
        }
        text += std::string(kDays[Number(0, 6)]) + (n > 1 ? "," : "");
      }
    }
    add(30, "BYHOUR", 0, 23, false);
    add(25, "BYMINUTE", 0, 59, false);
    add(20, "BYSECOND", 0, 59, false);
    if (has_by) {
      add(30, "BYSETPOS", 1, Chance(70) ? 4 : 40, true);
    }
    if (Chance(30)) {
      text += Chance(50) ? ";WKST=SU" : ";WKST=TH";
    }
    if (Chance(25)) {
      text += ";COUNT=" + std::to_string(Number(1, 40));
    } else if (Chance(25)) {
      text += ";UNTIL=" + Time(2010, 2012);
    }
    if (with_start) {
      text += " DTSTART:" + Time(1997, 2009);
    }
    if (Chance(15)) {
      text += " EXDATE:" + Time(1998, 2010).substr(0, 8);
    }
    return text;
  }

  // By weeks, from a day that may lie in a week of another year.
  std::string YearlyByWeeks() {
    char text[160];
    const bool from_end = Chance(30);
    const int week = Chance(50) ? 1 : Number(50, 53);
    static constexpr const char* kDays[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
    const bool december = Chance(50);
    std::snprintf(text, sizeof(text),
                  "RRULE:FREQ=YEARLY;INTERVAL=%d;BYWEEKNO=%s%d,%d;BYDAY=%s,%s%s%s "
                  "DTSTART:%04d%02d%02dT090000",
                  Number(1, 4), from_end ? "-" : "", week, Number(1, 53), kDays[Number(0, 6)],
                  kDays[Number(0, 6)], Chance(30) ? ";WKST=SU" : "",
                  Chance(30) ? ";BYSETPOS=1,-1" : "", Number(1997, 2028), december ? 12 : 1,
                  december ? Number(25, 31) : Number(1, 7));
    return text;
  }

  std::string Time(int first_year, int last_year) {
    char text[40];
    std::snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02d", Number(first_year, last_year),
                  Number(1, 12), Number(1, 28), Number(0, 23), Chance(50) ? 0 : Number(0, 59),
                  Chance(50) ? 0 : Number(0, 59));
    return text;
  }

 private:
  std::mt19937 random_;
};

std::int64_t WindowOf(Frequency frequency) {
  switch (frequency) {
    case Frequency::kSecondly:
      return 4 * kHour;
    case Frequency::kMinutely:
      return 5 * kDay;
    case Frequency::kHourly:
      return 100 * kDay;
    case Frequency::kDaily:
      return 3 * 366 * kDay;
    default:
      return 12 * 366 * kDay;
  }
}

// A rule that is refused because it never runs has no occurrence in the model either.
void ExpectNever(const std::string& text) {
  const std::size_t space = text.find(' ');
  RuleText rule;
  ParseRuleParts(std::string_view(text).substr(6, space - 6), text, &rule);
  RuleTime start;
  ASSERT_TRUE(ParseRuleTime(std::string_view(text).substr(space + 9, 15), &start));
  rule.start = start.time;
  if (text.find("EXDATE") != std::string::npos) {
    return;
  }
  const std::int64_t end = (start.time + WindowOf(rule.frequency)) / kSecond;
  ASSERT_TRUE(RruleModel(rule).Occurrences(end).empty());
}

void ExpectAsInModel(const std::string& text) {
  const FixedZone utc(0);
  std::shared_ptr<const Rule> rule;
  try {
    rule = ParseRule(text);
  } catch (const ScheduleError& error) {
    ASSERT_NE(std::string(error.what()).find("never runs"), std::string::npos)
        << error.what() << error.hint();
    ExpectNever(text);
    return;
  }
  const Local start = *rule->text().start;
  const Instant end = start + WindowOf(rule->text().frequency);
  std::vector<Instant> expected;
  for (const std::int64_t second : RruleModel(rule->text()).Occurrences(end / kSecond)) {
    expected.push_back(second * kSecond);
  }
  std::vector<Instant> found;
  for (Instant t = rule->Next(start - 1, utc, 0); t <= end; t = rule->Next(t, utc, 0)) {
    ASSERT_TRUE(found.empty() || found.back() < t);
    found.push_back(t);
    ASSERT_LE(found.size(), expected.size())
        << UtcText(t) << " is too much"
        << (expected.empty() ? "" : ", last " + UtcText(expected.back()));
    ASSERT_EQ(UtcText(t), UtcText(expected[found.size() - 1]));
  }
  ASSERT_EQ(found.size(), expected.size());
  std::vector<Instant> backwards;
  for (Instant t = rule->Last(start - 1, end, utc, 0); t != kNever;
       t = rule->Last(start - 1, t - 1, utc, 0)) {
    backwards.push_back(t);
    ASSERT_LE(backwards.size(), expected.size()) << UtcText(t);
  }
  std::reverse(backwards.begin(), backwards.end());
  ASSERT_EQ(backwards, expected);
}

TEST(CalendarRruleProperty, OccurrencesAreThoseOfTheRfc) {
  Generator generator(20261127);
  for (int i = 0; i < 400; ++i) {
    const std::string text = generator.Rule(true);
    SCOPED_TRACE(text);
    ExpectAsInModel(text);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(CalendarRruleProperty, YearsAreThoseOfTheCalendarAlsoByWeeks) {
  Generator generator(20251230);
  for (int i = 0; i < 200; ++i) {
    const std::string text = generator.YearlyByWeeks();
    SCOPED_TRACE(text);
    ExpectAsInModel(text);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(CalendarRruleProperty, AnyInstantAgreesWithTheOneBefore) {
  Generator generator(5545);
  const TzifZone zones[] = {TzifZone("Europe/Berlin"), TzifZone("Australia/Lord_Howe"),
                            TzifZone("America/Sao_Paulo"), TzifZone("Pacific/Apia")};
  const Instant anchor = Utc("2008-02-29 23:59:59") + 5;
  for (int i = 0; i < 150; ++i) {
    const std::string text = generator.Rule(generator.Chance(50));
    SCOPED_TRACE(text);
    std::shared_ptr<const Rule> rule;
    try {
      rule = ParseRule(text);
    } catch (const ScheduleError& error) {
      continue;
    }
    const Zone& zone = zones[i % 4];
    Instant t = Utc("2008-01-01 00:00") + generator.Number(0, 3000) * kDay;
    for (int n = 0; n < 30; ++n) {
      const Instant next = rule->Next(t, zone, anchor);
      if (next == kNever) {
        ASSERT_EQ(rule->Last(t, kEndInstant - 1, zone, anchor), kNever);
        break;
      }
      ASSERT_GT(next, t);
      ASSERT_EQ(rule->Next(t + (next - t) / 2, zone, anchor), next);
      ASSERT_EQ(rule->Next(next - 1, zone, anchor), next);
      ASSERT_EQ(rule->Last(t, next, zone, anchor), next);
      ASSERT_EQ(rule->Last(t, next - 1, zone, anchor), kNever);
      t = next;
    }
  }
}

}  // namespace
}  // namespace ratchet::calendar
