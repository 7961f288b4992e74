#include "policy/clock_watch.h"

#include <gtest/gtest.h>

#include "calendar/civil.h"

namespace ratchet::policy {
namespace {

using calendar::kDay;
using calendar::kHour;
using calendar::kMinute;
using calendar::kSecond;

// A machine on which both clocks go, and somebody sets one of them.
struct Machine {
  Moment now{800'000'000 * kSecond, {1000 * kSecond}};
  ClockWatch watch{};

  Machine() { EXPECT_EQ(watch.Look(now), 0); }
  void Pass(std::int64_t span) {
    now.wall += span;
    now.steady = now.steady + span;
  }
  std::int64_t SetAndLook(std::int64_t by) {
    now.wall += by;
    return watch.Look(now);
  }
};

TEST(ClockWatch, SaysOnceByHowMuchTheClockWasSet) {
  for (const std::int64_t by : {-30 * kDay, -kMinute, -2 * kSecond, 2 * kSecond, 3650 * kDay}) {
    Machine machine;
    machine.Pass(10 * kSecond);
    EXPECT_EQ(machine.SetAndLook(by), by);
    EXPECT_EQ(machine.watch.Look(machine.now), 0);
    machine.Pass(kHour);
    EXPECT_EQ(machine.watch.Look(machine.now), 0);
  }
}

TEST(ClockWatch, DoesNotTakeAClockThatIsKeptInTimeForOneThatIsSet) {
  Machine machine;
  for (int i = 0; i < 10'000; i++) {
    machine.Pass(10 * kSecond);
    EXPECT_EQ(machine.SetAndLook(i % 3 == 0 ? 5'000 : 4'000), 0);  // 500 ppm
  }
  machine.Pass(10 * kSecond);
  EXPECT_EQ(machine.SetAndLook(-5 * kSecond), -5 * kSecond);
}

TEST(ClockWatch, DoesNotBelieveForADayWhatAClockSaysThatWasSetForward) {
  Machine machine;
  EXPECT_EQ(machine.watch.Believed(machine.now), machine.now.wall);
  machine.SetAndLook(3650 * kDay);
  EXPECT_EQ(machine.watch.Believed(machine.now), machine.now.wall - 3650 * kDay);
  machine.Pass(12 * kSecond);
  machine.SetAndLook(-3650 * kDay);
  EXPECT_EQ(machine.watch.Believed(machine.now), machine.now.wall);
  machine.SetAndLook(2 * kHour);
  machine.Pass(kHour);
  machine.SetAndLook(kHour);
  EXPECT_EQ(machine.watch.Believed(machine.now), machine.now.wall - 3 * kHour);
  machine.Pass(kDay + kSecond);
  EXPECT_EQ(machine.watch.Believed(machine.now), machine.now.wall);
}

TEST(ClockWatch, DoubtsWhatNobodyHasSeen) {
  Machine machine;
  const calendar::Instant last = machine.now.wall;
  machine.Pass(100 * kDay);
  machine.watch.DoubtSince(last, machine.now);
  EXPECT_EQ(machine.watch.Believed(machine.now), last);
  machine.Pass(kHour);
  EXPECT_EQ(machine.watch.Believed(machine.now), last + kHour);
  machine.Pass(kDay);
  EXPECT_EQ(machine.watch.Believed(machine.now), machine.now.wall);
}

TEST(OnClockOf, KeepsWhatHasPassedBetween) {
  const Moment then{1'000'000 * kSecond, {50 * kSecond}};
  const Moment later{then.wall + kMinute, then.steady + kMinute};
  EXPECT_EQ(OnClockOf(later, then), then.wall);
  for (const std::int64_t by : {-3650 * kDay, -kHour, -5 * kSecond, 5 * kSecond, kHour}) {
    const Moment set{later.wall + by, later.steady};
    EXPECT_EQ(OnClockOf(set, then), set.wall - kMinute);
  }
  const Moment slewed{later.wall - 61 * kSecond, then.steady + kMinute};
  EXPECT_LE(OnClockOf(slewed, then), slewed.wall) << "nothing lies in the future";
}

}  // namespace
}  // namespace ratchet::policy
