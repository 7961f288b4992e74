// ratchet.schedule() and ratchet.schedule_batch()
#include "api/argument.h"
#include "api/define_job.h"
#include "api/job_check.h"
#include "api/option.h"
#include "api/sql_function.h"

namespace ratchet::api {
namespace {

std::int64_t Define(catalog::JobDefinition job, const OptionArguments& options) {
  CheckName(job.job_name, "job_name");
  options.SetIn(&job);
  return DefineJob(std::move(job), {options.Gives("enabled"), options.Gives("run_as")},
                   AnothersJob::kRefused)
      .now.job_id;
}

std::int64_t Schedule(const Arguments& arguments) {
  enum Argument { kJobName, kSchedule, kCommand, kFirstOption };
  RequireWritable("ratchet.schedule()");
  catalog::JobDefinition job;
  job.job_name = arguments.Text(kJobName, "job_name");
  job.schedule = arguments.Text(kSchedule, "schedule");
  job.command = arguments.Text(kCommand, "command");
  return Define(std::move(job),
                OptionArguments(arguments, kFirstOption, OptionArguments::Kind::kPlainJob));
}

std::int64_t ScheduleBatch(const Arguments& arguments) {
  enum Argument { kJobName, kSchedule, kSource, kAction, kFirstOption };
  RequireWritable("ratchet.schedule_batch()");
  catalog::JobDefinition job;
  job.job_name = arguments.Text(kJobName, "job_name");
  job.schedule = arguments.Text(kSchedule, "schedule");
  job.source = RequireText(arguments.Text(kSource, "source"), "source");
  job.action = RequireText(arguments.Text(kAction, "action"), "action");
  return Define(std::move(job),
                OptionArguments(arguments, kFirstOption, OptionArguments::Kind::kAnyJob));
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_schedule);
PGDLLEXPORT Datum ratchet_schedule(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::Schedule(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_schedule_batch);
PGDLLEXPORT Datum ratchet_schedule_batch(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::ScheduleBatch(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
