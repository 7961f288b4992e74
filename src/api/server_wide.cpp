// The whole server in one list, from any of its databases: ratchet._server_databases() and
// ratchet._server_runs()
#include <string>
#include <vector>

#include "api/live_run.h"
#include "api/privilege.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "board/database_board.h"
#include "policy/run.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
}

namespace ratchet::api {
namespace {

// ---- For use inside pg::Call -------------------------------------------------------------------

Datum TextDatum(std::string_view value) {
  return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
}

// One that is dropped in this moment has no name any more.
Datum NameOfDatabase(Oid database) {
  const char* name = get_database_name(database);
  return TextDatum(name != nullptr ? name : "");
}

std::vector<Oid> DatabasesWithJobs() {
  std::vector<board::DatabaseView> all;
  if (board::TheBoard() != nullptr) {
    board::ListDatabases(&all);
  }
  std::vector<Oid> databases;
  for (const board::DatabaseView& view : all) {
    if (view.state != board::DatabaseState::kAbsent) {
      databases.push_back(view.database);
    }
  }
  return databases;
}

const char* StateOf(const board::DatabaseEntry& entry) {
  if (entry.quarantined) {
    return "quarantined";
  }
  if (entry.holds > 0) {
    return "held";
  }
  if (entry.failing_since != 0) {
    return "failing";
  }
  switch (entry.state) {
    case board::DatabaseState::kActive:
      return "active";
    case board::DatabaseState::kResting:
      return "resting";
    default:
      return "starting";
  }
}

// What a database has in hand.
struct RunCounts {
  std::int64_t running = 0;
  std::int64_t waiting = 0;  // for a worker
};

RunCounts CountRuns(Oid database) {
  std::vector<board::LiveRun> runs;
  board::ListRuns(database, &runs);
  RunCounts counts;
  for (const board::LiveRun& run : runs) {
    counts.running += run.state == board::RunState::kRunning ? 1 : 0;
    counts.waiting += run.state == board::RunState::kReady ? 1 : 0;
  }
  return counts;
}

void ListServerDatabases(FunctionCallInfo call) {
  RowSet rows(call);
  // How others' jobs fare is not everybody's business.
  if (!MaySee(BOOTSTRAP_SUPERUSERID)) {
    return;
  }
  for (const Oid database : DatabasesWithJobs()) {
    const auto entry = board::ViewDatabase(database);
    if (!entry) {
      continue;
    }
    const RunCounts counts = CountRuns(database);
    pg::Call([&] {
      enum { kName, kState, kJobs, kFailing, kRunning, kWaiting, kSince, kFailure, kColumns };
      Datum values[kColumns] = {};
      bool nulls[kColumns] = {};
      values[kName] = NameOfDatabase(database);
      values[kState] = TextDatum(StateOf(*entry));
      values[kJobs] = Int64GetDatum(entry->jobs);
      values[kFailing] = Int64GetDatum(entry->failing_jobs);
      values[kRunning] = Int64GetDatum(counts.running);
      values[kWaiting] = Int64GetDatum(counts.waiting);
      values[kSince] = TimestampTzGetDatum(entry->failing_since);
      nulls[kSince] = nulls[kFailure] = entry->failing_since == 0;
      values[kFailure] = TextDatum(entry->failure);
      rows.Add(values, nulls);
    });
  }
}

void ListServerRuns(FunctionCallInfo call) {
  RowSet rows(call);
  for (const Oid database : DatabasesWithJobs()) {
    std::vector<board::LiveRun> runs;
    board::ListRuns(database, &runs);
    for (const board::LiveRun& run : runs) {
      if (run.state == board::RunState::kReserved || run.state == board::RunState::kEnded ||
          !MaySee(run.ticket.owner)) {
        continue;
      }
      pg::Call([&] {
        enum {
          kName,
          kRun,
          kJob,
          kOwner,
          kCause,
          kState,
          kPid,
          kQueued,
          kStarted,
          kDone,
          kLeft,
          kCancel,
          kColumns
        };
        Datum values[kColumns] = {};
        bool nulls[kColumns] = {};
        values[kName] = NameOfDatabase(database);
        values[kRun] = Int64GetDatum(run.ticket.run_id);
        values[kJob] = TextDatum(run.ticket.job_name);
        values[kOwner] = ObjectIdGetDatum(run.ticket.owner);
        values[kCause] = TextDatum(policy::Name(run.ticket.cause));
        values[kState] = TextDatum(NameOfState(run.state));
        values[kPid] = Int32GetDatum(run.pid);
        nulls[kPid] = run.pid == 0;
        values[kQueued] = TimestampTzGetDatum(run.ticket.queued_at);
        values[kStarted] = TimestampTzGetDatum(run.started_at);
        nulls[kStarted] = run.started_at == 0;
        values[kDone] = Int64GetDatum(run.walks ? run.committed.items_done : run.progress_done);
        nulls[kDone] = !run.walks && run.progress_done == 0 && run.progress_remaining < 0;
        values[kLeft] = Int64GetDatum(run.progress_remaining);
        nulls[kLeft] = run.progress_remaining < 0;
        values[kCancel] = BoolGetDatum(run.cancel != board::CancelReason::kNotCanceled);
        rows.Add(values, nulls);
      });
    }
  }
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_server_databases);
PGDLLEXPORT Datum ratchet_server_databases(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::ListServerDatabases(fcinfo); });
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(ratchet_server_runs);
PGDLLEXPORT Datum ratchet_server_runs(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::ListServerRuns(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
