#include "api/job_check.h"

#include <algorithm>

#include "api/action_check.h"
#include "api/batch_check.h"
#include "api/channel_access.h"
#include "api/condition_check.h"
#include "api/dependency_check.h"
#include "api/job_settings.h"
#include "api/plan_check.h"
#include "api/privilege.h"
#include "api/schedule_text.h"
#include "board/board.h"
#include "catalog/calendar_days.h"
#include "catalog/mutex_owner.h"
#include "pg/as_role.h"
#include "pg/text_context.h"
#include "policy/name_text.h"
#include "worker/command_check.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace ratchet::api {
namespace {

using catalog::JobDefinition;

constexpr std::size_t kLongestName = board::kNameSize - 1;

[[noreturn]] void Refuse(const std::string& message, const std::string& hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, hint);
}

[[noreturn]] void RefuseNever(const JobDefinition& job, const catalog::Timing& timing) {
  catalog::Timing always = timing;
  always.window.reset();
  if (always.Occurrences(job.schedule_since, job.start_at, 0, job.schedule_since)
          .Next(job.schedule_since) != calendar::kNever) {
    Refuse("schedule \"" + job.schedule + "\" has no occurrence within active_window \"" +
               job.active_window + "\"",
           "The window is open " + timing.window->Describe() + ".");
  }
  const char* hint = "";
  if (timing.schedule.kind() == calendar::Kind::kOnce) {
    hint =
        "The point in time is over, or never comes. For a run at once use @manual and "
        "ratchet.trigger().";
  } else if (timing.schedule.kind() == calendar::Kind::kRule) {
    hint =
        "Its COUNT or UNTIL is over, or its parts never match from where it begins. See "
        "ratchet.next_runs() with an earlier after.";
  }
  Refuse("schedule \"" + job.schedule + "\" has no occurrence left", hint);
}

// Whether the schedule is one, and ever comes.
void CheckSchedule(const JobDefinition& job) {
  if (job.start_at != 0 && job.end_at != 0 && job.end_at <= job.start_at) {
    Refuse("end_at must be later than start_at");
  }
  const catalog::Timing timing = RequireTiming(job);
  if (!timing.schedule.HasFixedTimes()) {
    return;
  }
  // Without the ends first: they are another reason.
  const calendar::OpenTimeline timeline =
      timing.Occurrences(job.schedule_since, job.start_at, 0, job.schedule_since);
  const calendar::Instant next = timeline.Next(job.schedule_since);
  if (next == calendar::kNever) {
    RefuseNever(job, timing);
  }
  if (job.end_at != 0 && next > job.end_at) {
    Refuse("schedule \"" + job.schedule + "\" has no occurrence before end_at");
  }
}

// A name that nobody lists days under may be a wrong one, or one whose days come later.
void CheckCalendar(const JobDefinition& job) {
  if (!job.calendar.empty() && catalog::FindCalendarDays(job.calendar).empty()) {
    ereport(WARNING, (errmsg("calendar \"%s\" of job \"%s\" has no days", job.calendar.c_str(),
                             job.job_name.c_str()),
                      errhint("List the days that are left out in ratchet.calendar_days.")));
  }
}

// Whether it matters in which zone the job is; an error if its schedule is none.
bool NeedsZone(const JobDefinition& job) {
  return catalog::NeedsZone(
      {job.job_name, job.schedule, job.time_zone, job.active_window, job.calendar},
      ParseSchedule(job.schedule, job.job_name));
}

void TellOfWeekdays(const JobDefinition& job) {
  if (calendar::CountsFromSunday(job.schedule)) {
    ereport(NOTICE, (errmsg("schedule \"%s\" of job \"%s\" runs %s", job.schedule.c_str(),
                            job.job_name.c_str(), DescribeScheduleText(job.schedule).c_str()),
                     errdetail("Here 1 is Monday. In Quartz, where \"?\" comes from, 1 is Sunday."),
                     errhint("Name the days, as in \"MON-FRI\" and \"MON#2\".")));
  }
}

void CheckCommand(const JobDefinition& job) {
  RequireText(job.command, "command");
  pg::AsRole role(job.owner, SettingsInForce(job));
  {
    const pg::TextContext context(job.command.c_str(), "command", "a job");
    worker::CheckCommand(job.command, job.transaction == catalog::TransactionMode::kPerStatement);
  }
  role.End();
}

// Of a queue. One without a handler has consumers.
void CheckHandlerOf(const JobDefinition& job) {
  if (job.action.empty()) {
    return;
  }
  pg::AsRole role(job.owner, SettingsInForce(job));
  const std::vector<bool> used = CheckHandler(job.action, job.per);
  role.End();
  if (std::find(used.begin(), used.end(), true) == used.end()) {
    pg::Call([] {
      ereport(WARNING, (errmsg("the handler uses neither payload nor number of a task"),
                        errdetail("It does the same for each task."),
                        errhint("Its parameters are $1, the payload, and $2, the task_id.")));
    });
  }
}

void CompleteSettings(JobDefinition* job, const JobDefinition* old,
                      const std::string& search_path) {
  if (old != nullptr && job->settings == old->settings && job->owner == old->owner) {
    return;
  }
  CheckSettings(job->settings, job->owner);
  if (!SearchPathIn(job->settings)) {
    job->settings = WithSearchPath(job->settings, search_path);
  }
}

bool IsDueTheSame(const JobDefinition& a, const JobDefinition& b) {
  return a.schedule == b.schedule && a.time_zone == b.time_zone && a.start_at == b.start_at &&
         (a.job_name == b.job_name || !calendar::DependsOnName(a.schedule));
}

// A database of SQL_ASCII may hold anything: nobody knows what its bytes mean.
std::string InUtf8(const std::string& text) {
  if (GetDatabaseEncoding() == PG_SQL_ASCII) {
    return text;
  }
  std::string utf8;
  pg::Call([&] { utf8 = pg_server_to_any(text.data(), static_cast<int>(text.size()), PG_UTF8); });
  return utf8;
}

}  // namespace

std::string RequireText(std::string text, const char* argument) {
  if (text.find_first_not_of(" \t\r\n\f\v") == std::string::npos) {
    Refuse(std::string(argument) + " must not be empty");
  }
  return text;
}

void CheckName(const std::string& name, const char* argument) {
  RequireText(name, argument);
  if (name.size() > kLongestName) {
    Refuse(std::string(argument) + " must not be longer than " + std::to_string(kLongestName) +
           " bytes");
  }
  if (policy::IsBlank(InUtf8(name))) {
    Refuse(std::string(argument) + " must not be empty");
  }
  RequireVisible(name, argument);
}

void RequireVisible(const std::string& text, const char* argument) {
  if (policy::HasHiddenCharacter(InUtf8(text))) {
    Refuse(std::string(argument) + " must not contain control characters");
  }
}

bool CompleteJob(JobDefinition* job, const JobDefinition* old, const std::string& search_path) {
  const TimestampTz now = GetCurrentTransactionStartTimestamp();
  if (job->time_zone.empty()) {
    job->time_zone = DefaultZone(NeedsZone(*job)).name();
  }
  if (!OidIsValid(job->owner)) {
    job->owner = GetUserId();
  }
  if (old == nullptr || job->owner != old->owner) {
    RequireUsableOwner(job->owner);
  }
  if (old == nullptr || job->mutex != old->mutex || job->owner != old->owner) {
    catalog::RequireMutex(job->mutex, job->owner);
  }
  if (old == nullptr || job->heartbeat != old->heartbeat || job->owner != old->owner) {
    RequireHeartbeat(job->heartbeat, job->owner);
  }
  CheckDependencies(*job, old);
  CompleteSettings(job, old, search_path);
  const bool uses_items = CompleteBatch(job, old);
  if (old != nullptr && *job == *old) {
    return false;
  }
  if (old == nullptr) {
    job->version = 1;
    job->schedule_since = now;
    job->created_at = now;
  } else {
    job->version = old->version + (job->pinned() == old->pinned() ? 0 : 1);
    job->schedule_since = IsDueTheSame(*job, *old) ? old->schedule_since : now;
  }
  job->changed_at = now;
  if (old == nullptr || !IsDueTheSame(*job, *old) || job->end_at != old->end_at ||
      job->active_window != old->active_window || job->calendar != old->calendar) {
    CheckSchedule(*job);
  }
  if (old == nullptr || job->calendar != old->calendar) {
    CheckCalendar(*job);
  }
  if (old == nullptr || job->schedule != old->schedule) {
    TellOfWeekdays(*job);
  }
  if (job->is_batch()) {
    CheckBatch(*job, old, uses_items);
  } else if (job->is_queue) {
    if (old == nullptr || job->action != old->action || job->per != old->per ||
        job->settings != old->settings || job->owner != old->owner) {
      CheckHandlerOf(*job);
    }
  } else if (old == nullptr || old->is_batch() || job->command != old->command ||
             job->transaction != old->transaction || job->settings != old->settings ||
             job->owner != old->owner) {
    CheckCommand(*job);
    WarnOfPlan(*job);
  }
  CheckConditions(*job, old);
  if (old != nullptr) {
    DropVoidCheckpoint(*job, *old);
  }
  return true;
}

}  // namespace ratchet::api
