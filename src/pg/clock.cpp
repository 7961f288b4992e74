#include "pg/clock.h"

#include <ctime>

namespace ratchet::pg {
namespace {

// Where there is no clock that goes on in sleep, a machine that wakes up looks like one whose clock
// is set forward.
#ifdef CLOCK_BOOTTIME
constexpr clockid_t kSteadyClock = CLOCK_BOOTTIME;
#else
constexpr clockid_t kSteadyClock = CLOCK_MONOTONIC;
#endif

std::int64_t Read(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * USECS_PER_SEC + time.tv_nsec / 1000;
}

// Between two looks of a process that the system lets wait, much time may pass.
constexpr std::int64_t kSameMoment = 1000;
constexpr int kMostTries = 10;

}  // namespace

policy::SteadyTime SteadyNow() noexcept { return {Read(kSteadyClock)}; }

policy::AwakeTime AwakeNow() noexcept { return {Read(CLOCK_MONOTONIC)}; }

policy::Moment Now() noexcept {
  policy::Moment now{};
  for (int i = 0; i < kMostTries; i++) {
    const policy::SteadyTime before = SteadyNow();
    now.wall = GetCurrentTimestamp();
    now.steady = SteadyNow();
    if (now.steady - before < kSameMoment) {
      break;
    }
  }
  return now;
}

}  // namespace ratchet::pg
