#include "api/schedule_text.h"

#include "pg/guard.h"
#include "pg/near_zone.h"
#include "pg/settings.h"

namespace ratchet::api {

calendar::Schedule ParseSchedule(const std::string& text, const std::string& job_name) {
  try {
    return calendar::Schedule::Parse(text, job_name);
  } catch (const calendar::ScheduleError& error) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, error.what(), error.hint());
  }
}

catalog::Timing RequireTiming(const catalog::JobDefinition& job) {
  const catalog::TimingTexts texts{job.job_name, job.schedule, job.time_zone, job.active_window,
                                   job.calendar};
  if (catalog::NeedsZone(texts, ParseSchedule(job.schedule, job.job_name))) {
    RequireZone(job.time_zone, "time_zone");
  }
  try {
    return catalog::ReadTiming(texts);
  } catch (const calendar::ScheduleError& error) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, error.what(), error.hint());
  }
}

std::string DescribeScheduleText(const std::string& text) {
  try {
    return calendar::DescribeSchedule(text);
  } catch (const calendar::ScheduleError& error) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, error.what(), error.hint());
  }
}

const pg::PgZone& RequireZone(const std::string& name, const char* argument) {
  const pg::PgZone* zone = pg::FindZone(name);
  if (zone == nullptr) {
    throw pg::Error(
        ERRCODE_INVALID_PARAMETER_VALUE,
        "invalid value for " + std::string(argument) + ": \"" + name + "\" is not a time zone",
        pg::NearZone(name).Hint(
            "time zone", "The view pg_timezone_names lists the time zones, such as Europe/Paris."));
  }
  return *zone;
}

const pg::PgZone& DefaultZone(bool is_needed) {
  std::string name;
  if (pg::settings.default_time_zone != nullptr) {
    name = pg::settings.default_time_zone;
  }
  const char* source = "ratchet.default_time_zone";
  if (name.empty()) {
    name = pg_get_timezone_name(session_timezone);
    source = "TimeZone";
  }
  const pg::PgZone* zone = pg::FindZone(name);
  if (zone == nullptr && !is_needed) {
    zone = pg::FindZone("UTC");
  }
  if (zone == nullptr) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                    "time_zone is missing, and \"" + name + "\", the value of " + source +
                        ", is not a time zone that jobs can have",
                    "Name a time zone such as Europe/Paris.");
  }
  return *zone;
}

}  // namespace ratchet::api
