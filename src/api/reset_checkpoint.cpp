// ratchet.reset_checkpoint()
#include <vector>

#include "api/argument.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "board/run_view.h"
#include "catalog/checkpoint.h"

namespace ratchet::api {
namespace {

// A run would write its checkpoint again with its next batch.
void RefuseLiveRun(const catalog::JobDefinition& job) {
  if (board::TheBoard() == nullptr) {
    return;
  }
  std::vector<board::LiveRun> live;
  board::ListRunsOfJob(MyDatabaseId, job.job_id, &live);
  for (const board::LiveRun& run : live) {
    if (run.state == board::RunState::kRunning) {
      throw pg::Error(ERRCODE_OBJECT_IN_USE, "job \"" + job.job_name + "\" is running",
                      "Cancel run " + std::to_string(run.ticket.run_id) +
                          " or wait for its end, and pause the job so that no other one begins.");
    }
  }
}

bool ResetCheckpoint(const Arguments& arguments) {
  RequireWritable("ratchet.reset_checkpoint()");
  const std::string job_name = arguments.Text(0, "job_name");
  const catalog::JobDefinition job = LockJob(job_name);
  RefuseLiveRun(job);
  const bool had_one = catalog::DeleteLastingCheckpoints(job.job_id);
  // One that has begun since the first look may have read it before it was deleted. One that begins
  // from now on waits for the end of this transaction.
  RefuseLiveRun(job);
  return had_one;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_reset_checkpoint);
PGDLLEXPORT Datum ratchet_reset_checkpoint(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return BoolGetDatum(ratchet::api::ResetCheckpoint(ratchet::api::Arguments(fcinfo)));
  });
}

}  // extern "C"
