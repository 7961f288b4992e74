// ratchet._occurrences(), for the views job_health and backfills
#include "api/argument.h"
#include "catalog/timing.h"

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
    return timing.Occurrences(time(kAnchor), time(kStartAt), time(kEndAt), time(kAfter))
        .Count(time(kAfter), time(kUntil), DatumGetInt64(arguments.Value(kLimit)));
  } catch (const calendar::ScheduleError&) {
    return 0;
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_occurrences);
PGDLLEXPORT Datum ratchet_occurrences(PG_FUNCTION_ARGS) {
  return ratchet::pg::Entry([fcinfo] {
    return Int64GetDatum(ratchet::api::CountOccurrences(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
