// What decides when a job is due, read from the texts of its definition.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "calendar/day_set.h"
#include "calendar/open_timeline.h"
#include "calendar/schedule.h"
#include "calendar/window.h"
#include "pg/time_zone.h"

namespace ratchet::catalog {

// As in a definition; empty texts for what it does not have.
struct TimingTexts {
  std::string job_name;
  std::string schedule;
  std::string time_zone;
  std::string active_window;
  std::string calendar;
};

struct Timing {
  calendar::Schedule schedule;
  const pg::PgZone* zone = nullptr;
  std::optional<calendar::ActiveWindow> window;
  std::shared_ptr<const calendar::DaySet> left_out;  // null: no day is

  const calendar::ActiveWindow* WindowOrNull() const { return window ? &*window : nullptr; }

  // Arguments as those of calendar::Timeline. The result must not outlive this.
  calendar::OpenTimeline Occurrences(calendar::Instant since, calendar::Instant start_at,
                                     calendar::Instant end_at, calendar::Instant from) const;
};

// Whether it matters in which zone such a schedule, window and calendar are meant.
bool NeedsZone(const TimingTexts& texts, const calendar::Schedule& schedule);

// Throws calendar::ScheduleError. Needs a transaction if there is a calendar.
Timing ReadTiming(const TimingTexts& texts);

}  // namespace ratchet::catalog
