// ratchet.stat_reset()
#include "api/argument.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "board/board.h"
#include "catalog/commit_notice.h"
#include "pg/compat.h"

namespace ratchet::api {
namespace {

// The scheduler writes the counters, and nobody may make it wait: it is asked to, at commit.
void ResetStatistics(const Arguments& arguments) {
  RequireWritable("ratchet.stat_reset()");
  board::RequireBoard();
  if (!arguments.IsNull(0)) {
    catalog::NoteStatReset(RequireJob(arguments.Text(0, "job_name")).job_id);
    return;
  }
  const bool allowed = pg::Call([] { return superuser() || pg::OwnsDatabase(GetUserId()); });
  if (!allowed) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of the database to reset the counters of all jobs",
                    "Name a job of your own.");
  }
  catalog::NoteStatReset(0);
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_stat_reset);
PGDLLEXPORT Datum ratchet_stat_reset(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction(
      [fcinfo] { ratchet::api::ResetStatistics(ratchet::api::Arguments(fcinfo)); });
  PG_RETURN_VOID();
}

}  // extern "C"
