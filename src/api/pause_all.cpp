// ratchet.pause_all() and ratchet.resume_all()
#include <vector>

#include "api/argument.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "board/board.h"
#include "board/run_view.h"
#include "catalog/commit_notice.h"
#include "catalog/home.h"
#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
}

namespace ratchet::api {
namespace {

void RequireOwnerOfDatabase(const char* command) {
  RequireWritable(command);
  if (!pg::Call([] { return superuser() || pg::OwnsDatabase(GetUserId()); })) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of the database to pause or resume all of its jobs");
  }
}

// Those that the caller may cancel; how many they are.
std::int64_t CancelLiveRuns() {
  if (board::TheBoard() == nullptr) {
    return 0;
  }
  std::vector<board::LiveRun> runs;
  board::ListRuns(MyDatabaseId, &runs);
  std::int64_t canceled = 0;
  for (const board::LiveRun& run : runs) {
    if (run.state != board::RunState::kEnded && MayManage(run.ticket.owner)) {
      catalog::NoteCancel(run.ticket.run_id);
      canceled++;
    }
  }
  return canceled;
}

std::int64_t PauseAll(const Arguments& arguments) {
  RequireOwnerOfDatabase("ratchet.pause_all()");
  if (catalog::FindPauseOfAll().since == 0) {
    catalog::SetPauseOfAll({GetCurrentTransactionStartTimestamp(), GetUserId()});
    catalog::NoteEverythingChanged();
  }
  return arguments.BoolOr(0, false) ? CancelLiveRuns() : 0;
}

bool ResumeAll() {
  RequireOwnerOfDatabase("ratchet.resume_all()");
  if (catalog::FindPauseOfAll().since == 0) {
    return false;
  }
  catalog::SetPauseOfAll({});
  catalog::NoteEverythingChanged();
  return true;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_pause_all);
PGDLLEXPORT Datum ratchet_pause_all(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return Int64GetDatum(ratchet::api::PauseAll(ratchet::api::Arguments(fcinfo))); });
}

PG_FUNCTION_INFO_V1(ratchet_resume_all);
PGDLLEXPORT Datum ratchet_resume_all(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return ratchet::api::SqlFunction([] { return BoolGetDatum(ratchet::api::ResumeAll()); });
}

}  // extern "C"
