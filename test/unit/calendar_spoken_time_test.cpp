#include "calendar/spoken_time.h"

#include <gtest/gtest.h>

#include <string>

#include "calendar/schedule.h"

namespace ratchet::calendar {
namespace {

std::string HintFor(const char* text) {
  try {
    (void)Schedule::Parse(text);
  } catch (const ScheduleError& error) {
    return error.hint();
  }
  return "no error";
}

TEST(SpokenTime, IsOfferedAsACronLine) {
  const struct {
    const char* words;
    const char* cron;
  } cases[] = {
      {"every day at 9", "0 9 * * *"},
      {"every Monday 9:00", "0 9 * * MON"},
      {"Monday at 9:00", "0 9 * * MON"},
      {"EVERY  weekday\tat 18:30", "30 18 * * MON-FRI"},
      {"daily at 9pm", "0 21 * * *"},
      {"every sunday at 12 am", "0 0 * * SUN"},
      {"on Fridays at 12:05 pm", "5 12 * * FRI"},
      {"every month at 6", "0 6 1 * *"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(CronOfWords(c.words), c.cron) << c.words;
    EXPECT_NO_THROW((void)Schedule::Parse(c.cron));
    EXPECT_EQ(HintFor(c.words), std::string("Perhaps you mean \"") + c.cron + "\".") << c.words;
  }
}

TEST(SpokenTime, OtherWordsAreNot) {
  for (const char* words :
       {"", "every", "every day", "every day at", "every day at noon", "every day at 25",
        "every day at 9:60", "every day at 0 am", "every day at 13 pm", "every day at 9 or 10",
        "every monday and friday at 9", "every 5 minutes", "at 9", "Monday", "every day at 9 xm",
        "every day at -1", "every day at :30"}) {
    EXPECT_EQ(CronOfWords(words), "") << words;
  }
}

TEST(SpokenTime, ZoneAtTheEndOfACronLine) {
  EXPECT_EQ(HintFor("0 9 * * MON America/New_York"),
            "The zone of a schedule is the job's: leave it out and set time_zone => "
            "\"America/New_York\".");
  EXPECT_EQ(
      HintFor("0 9 * * * Europe/Paris"),
      "The zone of a schedule is the job's: leave it out and set time_zone => \"Europe/Paris\".");
  EXPECT_EQ(ZoneAtEnd("0 9 * * * UTC"), "UTC");
  EXPECT_EQ(ZoneAtEnd("0 9 * * MON/2"), "");
  EXPECT_EQ(ZoneAtEnd("0 9 * */FEB *"), "");
  EXPECT_EQ(ZoneAtEnd("Europe/Paris"), "");
}

}  // namespace
}  // namespace ratchet::calendar
