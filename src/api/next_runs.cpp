// What a schedule means: ratchet.next_runs(), ratchet.describe_schedule()
#include "api/argument.h"
#include "api/row_set.h"
#include "api/schedule_text.h"
#include "api/sql_function.h"

namespace ratchet::api {
namespace {

enum Argument { kSchedule, kTimeZone, kCount, kAfter };

constexpr std::int32_t kMostRuns = 10000;

std::int32_t CountOf(const Arguments& arguments) {
  if (arguments.IsNull(kCount)) {
    return 5;
  }
  const std::int32_t count = DatumGetInt32(arguments.Value(kCount));
  if (count < 0 || count > kMostRuns) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "count must be between 0 and " + std::to_string(kMostRuns));
  }
  return count;
}

// As if the job had been scheduled at `after`.
calendar::Instant NextRun(const calendar::Schedule& schedule, calendar::Instant last,
                          const calendar::Zone& zone, calendar::Instant after) {
  if (schedule.kind() == calendar::Kind::kAfterCompletion) {
    // Runs of no duration are the only ones that can be known in advance.
    return schedule.NextAfterCompletion(last, zone);
  }
  return schedule.Next(last, zone, after);
}

void NextRuns(FunctionCallInfo call) {
  const Arguments arguments(call);
  const calendar::Schedule schedule = ParseSchedule(arguments.Text(kSchedule, "schedule"));
  const std::string zone_name = arguments.TextOrEmpty(kTimeZone);
  const pg::PgZone& zone = arguments.IsNull(kTimeZone) ? DefaultZone(schedule.NeedsZone())
                                                       : RequireZone(zone_name, "time_zone");
  const TimestampTz after = arguments.IsNull(kAfter) ? GetCurrentTransactionStartTimestamp()
                                                     : arguments.Time(kAfter, "after");
  std::int32_t count = CountOf(arguments);
  RowSet rows(call);
  for (calendar::Instant next = NextRun(schedule, after, zone, after);
       next != calendar::kNever && count > 0;
       next = NextRun(schedule, next, zone, after), count--) {
    pg::Call([&rows, next] {
      CHECK_FOR_INTERRUPTS();
      Datum value = TimestampTzGetDatum(next);
      bool null = false;
      rows.Add(&value, &null);
    });
  }
}

Datum Describe(const Arguments& arguments) {
  const std::string text = DescribeScheduleText(arguments.Text(kSchedule, "schedule"));
  return pg::Call([&text] { return CStringGetTextDatum(text.c_str()); });
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_next_runs);
PGDLLEXPORT Datum ratchet_next_runs(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::NextRuns(fcinfo); });
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(ratchet_describe_schedule);
PGDLLEXPORT Datum ratchet_describe_schedule(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::Describe(ratchet::api::Arguments(fcinfo)); });
}

}  // extern "C"
