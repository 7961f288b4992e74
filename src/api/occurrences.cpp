// ratchet._occurrences(), for the views job_health and backfills
#include <algorithm>

#include "api/argument.h"
#include "api/sql_function.h"
#include "catalog/timing.h"
#include "pg/guard.h"

namespace ratchet::api {
namespace {

enum Argument {
  kJobName,
  kSchedule,
  kTimeZone,
  kActiveWindow,
  kCalendar,
  kAnchor,
  kStartAt,
  kEndAt,
  kAfter,
  kUntil,
  kLimit,
};

// What the views ask for at most. Everybody may call the function, with what nobody would schedule.
constexpr std::int64_t kMostCounted = 100'000;

// The calendar does not look for interrupts, and where a window hides all occurrences it finds
// nothing to count for a long time.
constexpr std::int64_t kSlice = 36'525 * calendar::kDay;

std::int64_t CountBySlices(const calendar::OpenTimeline& timeline, calendar::Instant after,
                           calendar::Instant until, std::int64_t limit) {
  after = std::max(after, calendar::kMinInstant);
  until = std::min(until, calendar::kEndInstant - 1);
  limit = std::min(limit, kMostCounted);
  std::int64_t count = 0;
  while (after < until && count < limit) {
    const calendar::Instant end = until - after > kSlice ? after + kSlice : until;
    count += timeline.Count(after, end, limit - count);
    after = end;
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  }
  return count;
}

// Never an error: one job whose schedule cannot be read must not take the view away from all
// others.
std::int64_t CountOccurrences(const Arguments& arguments) {
  for (const int required : {kJobName, kSchedule, kTimeZone, kAnchor, kAfter, kUntil, kLimit}) {
    if (arguments.IsNull(required)) {
      return 0;
    }
  }
  const auto time = [&arguments](int i) {
    return arguments.IsNull(i) ? 0 : DatumGetTimestampTz(arguments.Value(i));
  };
  try {
    const catalog::Timing timing =
        catalog::ReadTiming({arguments.TextOrEmpty(kJobName), arguments.TextOrEmpty(kSchedule),
                             arguments.TextOrEmpty(kTimeZone), arguments.TextOrEmpty(kActiveWindow),
                             arguments.TextOrEmpty(kCalendar)});
    return CountBySlices(
        timing.Occurrences(time(kAnchor), time(kStartAt), time(kEndAt), time(kAfter)), time(kAfter),
        time(kUntil), DatumGetInt64(arguments.Value(kLimit)));
  } catch (const calendar::ScheduleError&) {
    return 0;
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_occurrences);
PGDLLEXPORT Datum ratchet_occurrences(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::CountOccurrences(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
