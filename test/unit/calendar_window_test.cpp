#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "calendar/schedule.h"
#include "calendar/window.h"
#include "calendar_model.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

// "opens .. closes" for each opening that begins in [from, until), in UTC.
std::vector<std::string> Openings(const char* text, const Zone& zone, const char* from,
                                  const char* until) {
  const ActiveWindow window = ActiveWindow::Parse(text);
  std::vector<std::string> openings;
  Instant t = window.NextOpening(Utc(from), zone);
  while (t < Utc(until)) {
    const Instant end = window.ClosesAt(t, zone);
    openings.push_back(UtcText(t).substr(5, 11) + " - " + UtcText(end).substr(5, 11));
    if (end == kNever) {
      break;
    }
    EXPECT_GT(end, t);
    t = window.NextOpening(end, zone);
  }
  return openings;
}

using Texts = std::vector<std::string>;

// 2027-01-04 is a Monday.
TEST(ActiveWindow, HoursOfTheWeek) {
  const FixedZone utc(0);
  const auto week = [&utc](const char* text) {
    return Openings(text, utc, "2027-01-04 00:00", "2027-01-11 00:00");
  };
  EXPECT_EQ(week("Mon-Tue 22:00-06:00"),
            (Texts{"01-04 22:00 - 01-05 06:00", "01-05 22:00 - 01-06 06:00"}));
  EXPECT_EQ(week("Fri 22:00-06:00"), (Texts{"01-08 22:00 - 01-09 06:00"}));
  EXPECT_EQ(week("sat,SUNDAY"), (Texts{"01-09 00:00 - 01-11 00:00"}));
  // From the Sunday before, and into the Monday after.
  EXPECT_EQ(week("Sun 22:00-06:00"),
            (Texts{"01-04 00:00 - 01-04 06:00", "01-10 22:00 - 01-11 06:00"}));
  EXPECT_EQ(week("Fri-Mon 9:00-10:00"),
            (Texts{"01-04 09:00 - 01-04 10:00", "01-08 09:00 - 01-08 10:00",
                   "01-09 09:00 - 01-09 10:00", "01-10 09:00 - 01-10 10:00"}));
  EXPECT_EQ(
      week("Mon-Tue 08:00-12:00, 13:00-17:00; Sat 09:00-24:00"),
      (Texts{"01-04 08:00 - 01-04 12:00", "01-04 13:00 - 01-04 17:00", "01-05 08:00 - 01-05 12:00",
             "01-05 13:00 - 01-05 17:00", "01-09 09:00 - 01-10 00:00"}));
  // Adjoining and overlapping ranges are one.
  EXPECT_EQ(week("Mon 20:00-24:00; Tue 00:00-02:00,01:00-03:00"),
            (Texts{"01-04 20:00 - 01-05 03:00"}));
  EXPECT_EQ(week("Mon, Wed - Wed 10:00 - 11:00 ;\tFri 12:00-00:00"),
            (Texts{"01-04 10:00 - 01-04 11:00", "01-06 10:00 - 01-06 11:00",
                   "01-08 12:00 - 01-09 00:00"}));
  EXPECT_EQ(week("Mon-Thu; Fri-Sun 00:00-24:00"), (Texts{"01-04 00:00 - "}));
}

TEST(ActiveWindow, RangesAreHalfOpen) {
  const FixedZone utc(0);
  const ActiveWindow window = ActiveWindow::Parse("22:00-06:00");
  const Instant open = Utc("2027-01-04 22:00");
  const Instant close = Utc("2027-01-05 06:00");
  EXPECT_FALSE(window.IsOpen(open - 1, utc));
  EXPECT_TRUE(window.IsOpen(open, utc));
  EXPECT_TRUE(window.IsOpen(close - 1, utc));
  EXPECT_FALSE(window.IsOpen(close, utc));
  EXPECT_EQ(window.NextOpening(open, utc), open);
  EXPECT_EQ(window.NextOpening(close - 1, utc), close - 1);
  EXPECT_EQ(window.NextOpening(close, utc), open + kDay);
  EXPECT_EQ(window.ClosesAt(open, utc), close);
  EXPECT_EQ(window.ClosesAt(close - 1, utc), close);
  EXPECT_EQ(window.ClosesAt(close, utc), close);
}

TEST(ActiveWindow, FollowsTheClockOverDaylightSaving) {
  const TzifZone berlin("Europe/Berlin");
  // 02:00 to 03:00 is left out on 2026-03-29.
  EXPECT_EQ(Openings("02:30-04:00", berlin, "2026-03-28 12:00", "2026-03-29 12:00"),
            (Texts{"03-29 01:00 - 03-29 02:00"}));
  EXPECT_EQ(Openings("22:00-02:30", berlin, "2026-03-28 12:00", "2026-03-29 12:00"),
            (Texts{"03-28 21:00 - 03-29 01:00"}));
  EXPECT_EQ(Openings("02:10-02:50", berlin, "2026-03-28 12:00", "2026-03-30 12:00"),
            (Texts{"03-30 00:10 - 03-30 00:50"}));
  EXPECT_EQ(Openings("22:00-06:00", berlin, "2026-03-28 12:00", "2026-03-29 12:00"),
            (Texts{"03-28 21:00 - 03-29 04:00"}));
  // It is there twice on 2026-10-25.
  EXPECT_EQ(Openings("02:15-02:45", berlin, "2026-10-24 12:00", "2026-10-25 12:00"),
            (Texts{"10-25 00:15 - 10-25 00:45", "10-25 01:15 - 10-25 01:45"}));
  EXPECT_EQ(Openings("22:00-06:00", berlin, "2026-10-24 12:00", "2026-10-25 12:00"),
            (Texts{"10-24 20:00 - 10-25 05:00"}));
  EXPECT_EQ(Openings("02:00-03:00", berlin, "2026-10-24 12:00", "2026-10-25 12:00"),
            (Texts{"10-25 00:00 - 10-25 02:00"}));
  // A Friday that was left out in Samoa: what it would have begun goes on behind it.
  EXPECT_EQ(
      Openings("Fri 12:00-06:00", TzifZone("Pacific/Apia"), "2011-12-25 00:00", "2012-01-04 00:00"),
      (Texts{"12-30 10:00 - 12-30 16:00"}));
}

TEST(ActiveWindow, AlwaysOpenNeverCloses) {
  const TzifZone berlin("Europe/Berlin");
  EXPECT_EQ(ActiveWindow(), ActiveWindow::Parse("Mon-Sun"));
  EXPECT_EQ(ActiveWindow(), ActiveWindow::Parse("00:00-24:00"));
  EXPECT_EQ(ActiveWindow(), ActiveWindow::Parse("18:00-06:00,06:00-18:00"));
  EXPECT_EQ(ActiveWindow().ClosesAt(0, berlin), kNever);
  EXPECT_EQ(ActiveWindow().NextOpening(7, berlin), 7);
  EXPECT_EQ(ActiveWindow().Describe(), "at any time");
}

TEST(ActiveWindow, EndsOfTimeAreNoTrap) {
  const TzifZone berlin("Europe/Berlin");
  const ActiveWindow window = ActiveWindow::Parse("Sun 22:00-06:00");
  EXPECT_EQ(window.NextOpening(kNever, berlin), kNever);
  EXPECT_EQ(window.ClosesAt(kNever, berlin), kNever);
  EXPECT_GE(window.NextOpening(kEndInstant - 1, berlin), kEndInstant - 1);
  EXPECT_GE(window.NextOpening(INT64_MIN, berlin), kMinInstant);
  EXPECT_GE(window.ClosesAt(INT64_MIN, berlin), kMinInstant);
  for (const char* text : {"Mon-Sun", "Mon-Sat; Sun 00:00-23:59", "Sun 23:59-24:00"}) {
    for (const Instant t : {kEndInstant - 1, kEndInstant - kDay, kMinInstant}) {
      EXPECT_GE(ActiveWindow::Parse(text).NextOpening(t, berlin), t) << text;
      EXPECT_GE(ActiveWindow::Parse(text).ClosesAt(t, berlin), t) << text;
    }
  }
  (void)window.IsOpen(INT64_MIN, berlin);
  (void)window.IsOpen(kNever, berlin);
}

TEST(ActiveWindow, Descriptions) {
  const std::pair<const char*, const char*> cases[] = {
      {"22:00-06:00", "from 22:00 to 06:00 of the next day every day"},
      {"Mon-Fri 22:00-06:00", "on Monday to Friday from 22:00 to 06:00 of the next day"},
      {"Sat,Sun", "on Saturday and Sunday"},
      {"Fri-Mon 09:00-24:00", "on Monday and Friday to Sunday from 09:00 to 24:00"},
      {"Mon-Fri 08:00-12:00, 13:00-17:00; Sat 09:00-12:00",
       "on Monday to Friday from 08:00 to 12:00 and from 13:00 to 17:00, and on Saturday from "
       "09:00 "
       "to 12:00"},
      // As it is, not as it is written.
      {"22:00-06:00; Sat,Sun",
       "on Monday to Thursday from 22:00 to 06:00 of the next day, and from Friday 22:00 to Monday "
       "06:00"},
      {"Sun 12:00-00:00; Mon 00:00-06:00", "on Sunday from 12:00 to 06:00 of the next day"},
      {"Mon; Wed 12:00-12:30", "on Monday, and on Wednesday from 12:00 to 12:30"},
      {"Mon-Sat; Sun 00:00-23:00", "from Monday 00:00 to Sunday 23:00"},
  };
  for (const auto& [text, description] : cases) {
    EXPECT_EQ(ActiveWindow::Parse(text).Describe(), description) << text;
  }
}

TEST(ActiveWindow, RefusalsNameThePartAndSayWhatIsRight) {
  struct Case {
    const char* text;
    const char* message;  // behind it: ' in active_window "<text>"'
    const char* hint;
  };
  const Case cases[] = {
      {"Foo 22:00-06:00", "invalid day \"Foo\"", "Mon, Tue"},
      {"daily 22:00-06:00", "invalid day \"daily\"", "Without days"},
      {"Mon-Foo", "invalid day \"Foo\"", "Mon, Tue"},
      {"Mon,", "invalid day \"\"", "Mon, Tue"},
      {"Mon-", "invalid day \"\"", "Mon, Tue"},
      {"Mon--Fri", "invalid day \"-\"", "Mon, Tue"},
      {"Mon, 22:00-06:00", "invalid day \"22:00\"", "and no comma"},
      {"-06:00", "invalid day \"-\"", "Mon, Tue"},
      {"Mon Tue", "invalid time \"Tue\"", "semicolon"},
      {"Mon 22:00-06:00, Tue", "invalid time \"Tue\"", "semicolon"},
      {"Mon 22:00-06:00 Tue", "unexpected \"Tue\"", "semicolons"},
      {"22:00-06:00-08:00", "unexpected \"-\"", "semicolons"},
      {"22:00", "no end of the time range \"22:00\"", "22:00-06:00"},
      {"22:00 06:00", "no end of the time range \"22:00\"", "22:00-06:00"},
      {"22:00-", "invalid time \"\"", "22:00-06:00"},
      {"22-06", "invalid time \"22\"", "hours and minutes"},
      {"25:00-06:00", "invalid time \"25:00\"", "from 00:00 to 23:59"},
      {"22:60-06:00", "invalid time \"22:60\"", "from 00:00 to 23:59"},
      {"22:00-24:01", "invalid time \"24:01\"", "24:00 may end"},
      {"22:00:00-06:00", "invalid time \"22:00:00\"", "hours and minutes"},
      {"10pm-6am", "invalid time \"10pm\"", "hours and minutes"},
      {"24:00-06:00", "invalid time \"24:00\"", "begins at 00:00"},
      {"09:00-09:00", "empty time range \"09:00-09:00\"", "days alone"},
      {"Mon 00:00 - 00:00", "empty time range \"00:00 - 00:00\"", "00:00-24:00"},
      {"08:00-09:00,", "invalid time \"\"", "22:00-06:00"},
      {"Mo-Fr 08:00-09:00", "invalid day \"Mo\"", "Mon, Tue"},
      {"Mon\xe2\x80\x93"
       "Fri",
       "invalid day \"Mon\xe2\x80\x93"
       "Fri\"",
       "Mon, Tue"},
      {"\xff", "invalid day \"?\"", "Mon, Tue"},
  };
  for (const Case& c : cases) {
    try {
      ADD_FAILURE() << c.text << ": " << ActiveWindow::Parse(c.text).Describe();
    } catch (const ScheduleError& error) {
      const std::string text = c.text[0] == '\xff' ? "?" : c.text;
      EXPECT_EQ(error.what(), std::string(c.message) + " in active_window \"" + text + "\"");
      EXPECT_NE(error.hint().find(c.hint), std::string::npos) << c.text << ": " << error.hint();
    }
  }
  for (const std::string& text :
       {std::string(), std::string(" \n"), std::string(";"), std::string("Mon;"),
        std::string("Mon;;Tue"), std::string(2001, 'x')}) {
    EXPECT_THROW(ActiveWindow::Parse(text), ScheduleError) << text;
  }
}

// A random window as text, and whether it is open when the clock shows a reading.
struct ModelWindow {
  struct Part {
    std::vector<bool> days;
    int begin;
    int end;  // beyond 1440: on the next day
  };
  std::string text;
  std::vector<Part> parts;

  bool IsOpen(Local local) const {
    const int day = (WeekdayFromDays(DayOfLocal(local)) + 6) % 7;
    const auto minute = static_cast<int>(TimeOfLocal(local) / kMinute);
    for (const Part& part : parts) {
      if ((part.days[day] && part.begin <= minute && minute < part.end) ||
          (part.days[(day + 6) % 7] && minute + 1440 < part.end)) {
        return true;
      }
    }
    return false;
  }
};

std::string Clock(std::int64_t minute) {
  return std::to_string(minute / 600) + std::to_string(minute / 60 % 10) + ':' +
         std::to_string(minute % 60 / 10) + std::to_string(minute % 10);
}

ModelWindow RandomModelWindow(Random* random) {
  static constexpr const char* kDays[] = {"Mon", "Tue", "wed", "THU", "Friday", "Sat", "Sun"};
  ModelWindow model;
  for (std::int64_t groups = random->Pick(1, 3); groups > 0; --groups) {
    std::vector<bool> days(7, true);
    bool has_days = random->Chance(70);
    model.text += model.text.empty() ? "" : ";";
    if (has_days) {
      days.assign(7, false);
      for (std::int64_t items = random->Pick(1, 3); items > 0; --items) {
        const std::int64_t from = random->Pick(0, 6);
        const std::int64_t length = random->Chance(50) ? 0 : random->Pick(1, 4);
        for (std::int64_t day = from; day <= from + length; ++day) {
          days[day % 7] = true;
        }
        model.text += kDays[from];
        model.text += length > 0 ? std::string("-") + kDays[(from + length) % 7] : "";
        model.text += items > 1 ? "," : "";
      }
    }
    if (has_days && random->Chance(20)) {
      model.parts.push_back({days, 0, 1440});
      continue;
    }
    for (std::int64_t ranges = random->Pick(1, 3); ranges > 0; --ranges) {
      // Half of the boundaries lie in the hours of the transitions.
      const std::int64_t begin = random->Chance(50) ? random->Pick(0, 240) : random->Pick(0, 1439);
      std::int64_t end = random->Chance(50) ? random->Pick(0, 240) : random->Pick(0, 1440);
      end = end == begin ? 1440 : end;
      model.text += ' ' + Clock(begin) + '-' + Clock(end) + (ranges > 1 ? "," : "");
      model.parts.push_back(
          {days, static_cast<int>(begin), static_cast<int>(end < begin ? end + 1440 : end)});
    }
  }
  return model;
}

TEST(ActiveWindowProperty, AgreesWithAMinuteByMinuteModel) {
  Random random(11);
  int changes = 0;
  for (const auto& zone : Zones()) {
    for (int round = 0; round < 4; ++round) {
      const Window span = RandomWindow(&random, *zone, 10);
      const ModelWindow model = RandomModelWindow(&random);
      SCOPED_TRACE(model.text + " in " + zone->name() + " from " + UtcText(span.begin));
      const ActiveWindow window = ActiveWindow::Parse(model.text);
      // Backwards, to know in each minute the next one in which it is open, or is not.
      Instant next_open = kNever;
      Instant next_closed = kNever;
      for (std::size_t i = span.clock.size(); i-- > 0;) {
        const Instant t = span.at(i);
        const bool open = model.IsOpen(span.clock[i]);
        changes += (open ? next_open : next_closed) == t + kMinute ? 0 : 1;
        (open ? next_open : next_closed) = t;
        ASSERT_EQ(window.IsOpen(t, *zone), open) << UtcText(t);
        ASSERT_EQ(window.IsOpen(t + kMinute - 1, *zone), open) << UtcText(t);
        const Instant odd = t + random.Pick(0, kMinute - 1);
        if (next_open != kNever) {
          ASSERT_EQ(window.NextOpening(odd, *zone), std::max(next_open, open ? odd : kMinInstant))
              << UtcText(odd);
        }
        if (next_closed != kNever) {
          ASSERT_EQ(window.ClosesAt(odd, *zone), std::max(next_closed, open ? kMinInstant : odd))
              << UtcText(odd);
        }
      }
    }
  }
  EXPECT_GT(changes, 1000);
}

}  // namespace
}  // namespace ratchet::calendar
