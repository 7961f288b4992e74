#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "calendar/schedule.h"
#include "calendar/window.h"

// Any bytes either are a window or are refused with a message and a hint. What is a window opens
// and closes in turn, at instants that agree with whether it is open.

namespace {

using ratchet::calendar::ActiveWindow;
using ratchet::calendar::FixedZone;
using ratchet::calendar::Instant;
using ratchet::calendar::kDay;
using ratchet::calendar::kEndInstant;
using ratchet::calendar::kNever;
using ratchet::calendar::ScheduleError;
using ratchet::calendar::Zone;

void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void CheckOpenings(const ActiveWindow& window, const Zone& zone, Instant from) {
  Instant t = from;
  for (int i = 0; i < 20 && t != kNever; ++i) {
    const Instant open = window.NextOpening(t, zone);
    Require(open >= t);
    Require(open == t || !window.IsOpen(t, zone));
    if (open == kNever) {
      break;
    }
    Require(open <= t + 8 * kDay);
    Require(window.IsOpen(open, zone));
    const Instant close = window.ClosesAt(open, zone);
    Require(close > open);
    Require(close == kNever || (!window.IsOpen(close, zone) && window.IsOpen(close - 1, zone)));
    t = close;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const ActiveWindow window = ActiveWindow::Parse(text);
    Require(!window.Describe().empty());
    Require(window == ActiveWindow::Parse(text));
    const FixedZone zone(5 * 3600 + 45 * 60);
    for (const Instant from : {Instant{852076800000000}, Instant{-3155760000000001}}) {
      CheckOpenings(window, zone, from);
    }
    for (const Instant from : {INT64_MIN, kEndInstant - 1, kNever}) {
      (void)window.IsOpen(from, zone);
      Require(window.NextOpening(from, zone) >= from);
      Require(window.ClosesAt(from, zone) >= from);
    }
  } catch (const ScheduleError& error) {
    Require(error.what()[0] != '\0' && std::string_view(error.what()).size() < 400);
    Require(!error.hint().empty());
  }
  return 0;
}
