#include "catalog/timing.h"

#include "catalog/calendar_days.h"

namespace ratchet::catalog {

calendar::OpenTimeline Timing::Occurrences(calendar::Instant since, calendar::Instant start_at,
                                           calendar::Instant end_at, calendar::Instant from) const {
  return {calendar::Timeline(schedule, *zone, since, start_at, end_at, from, left_out.get()),
          WindowOrNull(), *zone};
}

bool NeedsZone(const TimingTexts& texts, const calendar::Schedule& schedule) {
  return schedule.NeedsZone() || !texts.active_window.empty() || !texts.calendar.empty();
}

// What needs no zone goes on where the one of the job is gone.
Timing ReadTiming(const TimingTexts& texts) {
  Timing timing;
  timing.schedule = calendar::Schedule::Parse(texts.schedule, texts.job_name);
  timing.zone = pg::FindZone(texts.time_zone);
  if (timing.zone == nullptr && !NeedsZone(texts, timing.schedule)) {
    timing.zone = pg::FindZone("UTC");
  }
  if (timing.zone == nullptr) {
    throw calendar::ScheduleError(
        "time zone \"" + texts.time_zone + "\" is not known",
        "Give the job another one by ratchet.alter_job(..., time_zone => ...), or install it: some "
        "systems have old names in a package of their own.");
  }
  if (!texts.active_window.empty()) {
    timing.window = calendar::ActiveWindow::Parse(texts.active_window);
  }
  if (!texts.calendar.empty()) {
    timing.left_out = std::make_shared<const calendar::DaySet>(FindCalendarDays(texts.calendar));
  }
  return timing;
}

}  // namespace ratchet::catalog
