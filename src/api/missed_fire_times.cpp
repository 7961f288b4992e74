// ratchet._missed_fire_times(), for the view job_health
#include "api/argument.h"
#include "calendar/schedule.h"
#include "pg/time_zone.h"

namespace ratchet::api {
namespace {

enum Argument { kJobName, kSchedule, kTimeZone, kAnchor, kSince, kUntil };

constexpr std::int64_t kEnough = 3;

// Never an error: one job whose schedule cannot be read must not take the view away from all
// others.
Datum MissedFireTimes(const Arguments& arguments) {
  try {
    const calendar::Schedule schedule = calendar::Schedule::Parse(
        TextOf(arguments.Value(kSchedule)), TextOf(arguments.Value(kJobName)));
    const pg::PgZone* zone = pg::FindZone(TextOf(arguments.Value(kTimeZone)));
    if (zone == nullptr) {
      return Int32GetDatum(0);
    }
    return Int32GetDatum(static_cast<std::int32_t>(schedule.Count(
        DatumGetTimestampTz(arguments.Value(kSince)), DatumGetTimestampTz(arguments.Value(kUntil)),
        *zone, DatumGetTimestampTz(arguments.Value(kAnchor)), kEnough)));
  } catch (const calendar::ScheduleError&) {
    return Int32GetDatum(0);
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_missed_fire_times);
PGDLLEXPORT Datum ratchet_missed_fire_times(PG_FUNCTION_ARGS) {
  return ratchet::pg::Entry(
      [fcinfo] { return ratchet::api::MissedFireTimes(ratchet::api::Arguments(fcinfo)); });
}

}  // extern "C"
