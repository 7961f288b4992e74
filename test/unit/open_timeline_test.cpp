// The occurrences at which a window is open, against a model that looks at each occurrence.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "calendar/open_timeline.h"
#include "tzif_zone.h"
#include "utc_text.h"

namespace ratchet::calendar {
namespace {

struct Model {
  std::vector<Instant> open;
  std::vector<Instant> closed;

  Model(const Timeline& timeline, const ActiveWindow& window, const Zone& zone, Instant after,
        Instant until) {
    for (Instant t = timeline.Next(after); t <= until; t = timeline.Next(t)) {
      (window.IsOpen(t, zone) ? open : closed).push_back(t);
    }
  }
};

TEST(OpenTimeline, IsThatOfTheModel) {
  const TzifZone berlin("Europe/Berlin");
  const TzifZone lord_howe("Australia/Lord_Howe");
  const TzifZone utc("UTC");
  std::mt19937 random(7);
  const auto upto = [&random](Instant most) {
    return std::uniform_int_distribution<Instant>(0, most)(random);
  };
  for (const char* schedule_text : {"*/17 * * * *", "0 * * * *", "30 2 * * *", "7 hours", "1 day",
                                    "0 12 * * SUN", "0 0 1 * *"}) {
    for (const char* window_text :
         {"22:00-06:00", "Mon-Fri 02:15-02:45", "Sat,Sun", "Mon-Fri 08:00-12:00, 13:00-17:00",
          "Sun 23:00-01:00; Wed 12:00-12:01", "Mon-Sun"}) {
      for (const Zone* zone :
           {static_cast<const Zone*>(&berlin), static_cast<const Zone*>(&lord_howe),
            static_cast<const Zone*>(&utc)}) {
        const Schedule schedule = Schedule::Parse(schedule_text);
        const ActiveWindow window = ActiveWindow::Parse(window_text);
        const Instant since = Utc("2026-01-01 00:00") + upto(300 * kDay);
        const Instant until = since + upto(40 * kDay);
        const Timeline timeline(schedule, *zone, since, 0, 0, since);
        const OpenTimeline tested(timeline, &window, *zone);
        const Model model(timeline, window, *zone, since, until);
        const std::string what = std::string(schedule_text) + " in " + window_text + " from " +
                                 UtcText(since) + " to " + UtcText(until);
        std::vector<Instant> open;
        for (Instant t = tested.Next(since); t <= until; t = tested.Next(t)) {
          open.push_back(t);
        }
        EXPECT_EQ(open, model.open) << what;
        EXPECT_EQ(tested.Count(since, until, 1'000'000), static_cast<std::int64_t>(open.size()))
            << what;
        EXPECT_EQ(tested.Last(since, until), open.empty() ? kNever : open.back()) << what;
        const ClosedOccurrences closed = tested.Closed(since, until, 1'000'000);
        EXPECT_EQ(closed.count, static_cast<std::int64_t>(model.closed.size())) << what;
        if (!model.closed.empty()) {
          EXPECT_EQ(closed.first, model.closed.front()) << what;
          EXPECT_EQ(closed.last, model.closed.back()) << what;
        }
      }
    }
  }
}

TEST(OpenTimeline, CountsUpToItsLimit) {
  const FixedZone utc(0);
  const Schedule schedule = Schedule::Parse("* * * * *");
  const ActiveWindow window = ActiveWindow::Parse("22:00-06:00");
  const Instant since = Utc("2026-01-01 00:00");
  const Timeline timeline(schedule, utc, since, 0, 0, since);
  EXPECT_EQ(OpenTimeline(timeline, &window, utc).Count(since, since + 100 * kDay, 1000), 1000);
  EXPECT_EQ(OpenTimeline(timeline, nullptr, utc).Count(since, since + kDay, 10'000), 1440);
}

// Years apart, and no step by step.
TEST(OpenTimeline, WithoutAWindowItIsTheTimeline) {
  const FixedZone utc(0);
  const Schedule schedule = Schedule::Parse("0 0 29 2 *");
  const Timeline timeline(schedule, utc, 0, 0, 0, 0);
  const OpenTimeline tested(timeline, nullptr, utc);
  EXPECT_EQ(tested.Next(Utc("2026-01-01 00:00")), Utc("2028-02-29 00:00"));
  EXPECT_EQ(tested.Previous(Utc("2026-01-01 00:00")), Utc("2024-02-29 00:00"));
  const ClosedOccurrences closed = tested.Closed(0, Utc("2026-01-01 00:00"), 10);
  EXPECT_EQ(closed.count, 0);
}

}  // namespace
}  // namespace ratchet::calendar
