// Schedules and time zones as users write them; what is wrong with them is raised as 22023.
#pragma once

#include <string>

#include "calendar/schedule.h"
#include "catalog/job.h"
#include "catalog/timing.h"
#include "pg/time_zone.h"

namespace ratchet::api {

// `job_name` chooses what 'H' in a cron line stands for.
calendar::Schedule ParseSchedule(const std::string& text, const std::string& job_name = {});

// When the job is due: schedule, zone, active window and calendar.
catalog::Timing RequireTiming(const catalog::JobDefinition& job);

// What it means for any job.
std::string DescribeScheduleText(const std::string& text);

const pg::PgZone& RequireZone(const std::string& name, const char* argument);

// ratchet.default_time_zone, else the session's TimeZone. If that is none that jobs can have, such
// as an offset: UTC for what needs no zone, and an error for the rest.
const pg::PgZone& DefaultZone(bool is_needed);

}  // namespace ratchet::api
