// ratchet.alter_job(), ratchet.pause_job() and ratchet.resume_job()
#include <algorithm>
#include <tuple>

#include "api/argument.h"
#include "api/dependency_check.h"
#include "api/held_back.h"
#include "api/job_change.h"
#include "api/job_check.h"
#include "api/job_settings.h"
#include "api/option.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "catalog/backfill.h"
#include "catalog/commit_notice.h"
#include "pg/text_array.h"

namespace ratchet::api {
namespace {

enum Argument { kJobName, kSchedule, kCommand, kSource, kAction, kNewName, kFirstOption };

void LockNames(const std::string& one, const std::string& other, Oid owner) {
  // In an order that is the same for everybody.
  catalog::LockJobName(std::min(one, other), owner);
  if (one != other) {
    catalog::LockJobName(std::max(one, other), owner);
  }
}

std::vector<std::string> ResetNames(const Arguments& arguments, int reset) {
  std::vector<std::string> names;
  if (!arguments.IsNull(reset)) {
    pg::Call([&] { pg::AppendTextArray(arguments.Value(reset), &names); });
  }
  return names;
}

[[noreturn]] void RefuseFor(const catalog::JobDefinition& job, const std::string& argument) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE,
                  argument + " cannot be given for job \"" + job.job_name + "\"",
                  job.is_batch() ? "Use ratchet.schedule() to make it a job with a command."
                                 : "Use ratchet.schedule_batch() to make it a batch job.",
                  job.is_batch() ? "It is a batch job, which has a source and an action."
                                 : "It is not a batch job.");
}

// What the job runs.
void SetTexts(const Arguments& arguments, catalog::JobDefinition* job) {
  if (!arguments.IsNull(kCommand)) {
    if (job->is_batch()) {
      RefuseFor(*job, "command");
    }
    job->command = arguments.Text(kCommand, "command");
  }
  for (const auto& [argument, name, text] :
       {std::tuple(kSource, "source", &job->source), std::tuple(kAction, "action", &job->action)}) {
    if (!arguments.IsNull(argument)) {
      if (!job->is_batch()) {
        RefuseFor(*job, name);
      }
      *text = RequireText(arguments.Text(argument, name), name);
    }
  }
}

void RefuseExisting(const std::string& new_name) {
  if (catalog::FindJobByName(new_name)) {
    throw pg::Error(ERRCODE_DUPLICATE_OBJECT, "job \"" + new_name + "\" already exists");
  }
}

void Rename(catalog::JobDefinition* job, const std::string& new_name) {
  if (new_name != job->job_name) {
    RefuseExisting(new_name);
    catalog::RefuseTakenName(new_name, job->owner);
  }
  job->job_name = new_name;
}

// Whose it is and will be is looked at before anything is waited for.
catalog::JobDefinition LockToAlter(const std::string& job_name, const std::string& new_name,
                                   const OptionArguments& options, ItemPointer tid) {
  const catalog::JobDefinition seen = RequireJob(job_name);
  if (new_name != job_name) {
    RefuseExisting(new_name);
  }
  if (new_name != job_name || options.Gives("depends_on") || options.Gives("run_as")) {
    catalog::JobDefinition altered = seen;
    options.SetIn(&altered);
    catalog::LockDependencies(altered.owner);
  }
  LockNames(job_name, new_name, seen.owner);
  return RequireJob(job_name, tid);
}

void AlterJob(const Arguments& arguments) {
  RequireWritable("ratchet.alter_job()");
  const std::string job_name = arguments.Text(kJobName, "job_name");
  const bool renames = !arguments.IsNull(kNewName);
  const std::string new_name = renames ? arguments.Text(kNewName, "new_name") : job_name;
  if (renames) {
    CheckName(new_name, "new_name");
  }
  const OptionArguments options(arguments, kFirstOption, OptionArguments::Kind::kAnyJob);
  ItemPointerData tid;
  const catalog::JobDefinition old = LockToAlter(job_name, new_name, options, &tid);
  catalog::JobDefinition job = old;
  Rename(&job, new_name);
  if (!arguments.IsNull(kSchedule)) {
    job.schedule = arguments.Text(kSchedule, "schedule");
  }
  SetTexts(arguments, &job);
  const std::vector<std::string> reset = ResetNames(arguments, options.end());
  const char* batch_option = options.BatchOption(reset);
  if (batch_option != nullptr && !job.is_batch()) {
    RefuseFor(job, batch_option);
  }
  options.SetIn(&job);
  options.Reset(reset, &job);
  // New settings do not silently move the job to the search_path of whoever gives them.
  const std::string search_path = options.Gives("settings")
                                      ? SearchPathIn(old.settings).value_or(SearchPathOfSession())
                                      : SearchPathOfSession();
  if (CompleteJob(&job, &old, search_path)) {
    TellIfHeldBack(job);
    catalog::UpdateJob(&tid, job);
    RecordChange(&old, &job);
    if (job.job_name != old.job_name) {
      RenameInDependents(old, job.job_name);
    }
    catalog::StartBackfillOf(job, &old);
    catalog::NoteJobChanged(job.job_id);
  }
}

void SetEnabled(const Arguments& arguments, bool enabled, const char* command) {
  RequireWritable(command);
  const std::string job_name = arguments.Text(kJobName, "job_name");
  ItemPointerData tid;
  const catalog::JobDefinition old = LockJob(job_name, &tid);
  if (old.enabled == enabled) {
    return;
  }
  catalog::JobDefinition job = old;
  job.enabled = enabled;
  if (enabled) {
    TellIfHeldBack(job);
  }
  job.changed_at = GetCurrentTransactionStartTimestamp();
  catalog::UpdateJob(&tid, job);
  RecordChange(&old, &job);
  catalog::NoteJobChanged(job.job_id);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_alter_job);
PGDLLEXPORT Datum ratchet_alter_job(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::AlterJob(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_pause_job);
PGDLLEXPORT Datum ratchet_pause_job(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] {
    ratchet::api::SetEnabled(ratchet::api::Arguments(fcinfo), false, "ratchet.pause_job()");
  });
  PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ratchet_resume_job);
PGDLLEXPORT Datum ratchet_resume_job(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] {
    ratchet::api::SetEnabled(ratchet::api::Arguments(fcinfo), true, "ratchet.resume_job()");
  });
  PG_RETURN_VOID();
}

}  // extern "C"
