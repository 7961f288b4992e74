#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "calendar/schedule.h"

// Any bytes either are a schedule or are refused with a message and a hint. What is a schedule has
// strictly increasing occurrences, and says about itself what it is.

namespace {

using ratchet::calendar::FixedZone;
using ratchet::calendar::Instant;
using ratchet::calendar::kEndInstant;
using ratchet::calendar::Kind;
using ratchet::calendar::kNever;
using ratchet::calendar::Schedule;
using ratchet::calendar::ScheduleError;

constexpr Instant kStart = 852076800000000;  // 2027

void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void CheckOccurrences(const Schedule& schedule, Instant after) {
  const FixedZone zone(5 * 3600 + 45 * 60);
  const Instant anchor = 0;
  Instant t = after;
  for (int i = 0; i < 5; ++i) {
    const Instant next = schedule.Next(t, zone, anchor);
    Require(next > t || (next == kNever && t == kNever));
    if (next == kNever) {
      break;
    }
    Require(schedule.Last(t, next, zone, anchor) == next);
    Require(schedule.Last(t, next - 1, zone, anchor) == kNever);
    Require(schedule.Count(t, next, zone, anchor, 2) == 1);
    t = next;
  }
  const Instant start = schedule.NextAfterCompletion(after, zone);
  Require(start == kNever || start > after);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Schedule schedule = Schedule::Parse(text);
    Require(!schedule.Describe().empty());
    Require(schedule == Schedule::Parse(text));
    Require(!ratchet::calendar::DescribeSchedule(text).empty());
    if (!ratchet::calendar::DependsOnName(text)) {
      Require(schedule == Schedule::Parse(text, "another name"));
      Require(schedule.Describe() == ratchet::calendar::DescribeSchedule(text));
    }
    Require(schedule.AnchorBefore(kStart, FixedZone(0), kStart + 1) <= kStart + 1);
    if (schedule.kind() == Kind::kInterval || schedule.kind() == Kind::kAfterCompletion) {
      Require(Schedule::Parse(schedule.Describe()) == schedule);
    }
    // The ends of time, and a time before the epoch.
    for (const Instant after :
         {kStart, INT64_MIN, kNever - 1, kEndInstant - 100000000000, Instant{-3155760000000000}}) {
      CheckOccurrences(schedule, after);
    }
  } catch (const ScheduleError& error) {
    Require(error.what()[0] != '\0' && std::string_view(error.what()).size() < 400);
    Require(!error.hint().empty());
  }
  return 0;
}
