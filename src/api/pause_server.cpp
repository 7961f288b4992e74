// ratchet.pause_server() and ratchet.resume_server(): all databases at once, by the setting that
// an administrator would set by hand, so that it survives a restart and a crash, and everybody
// finds it where settings are.
#include <algorithm>
#include <vector>

#include "api/argument.h"
#include "api/privilege.h"
#include "api/sql_function.h"
#include "board/database_board.h"
#include "board/run_board.h"
#include "board/run_view.h"
#include "pg/clock.h"

extern "C" {
#include "nodes/parsenodes.h"
#include "postmaster/postmaster.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"
}

#include <csignal>

namespace ratchet::api {
namespace {

constexpr long kLookMilliseconds = 10;
// Schedulers that do not answer for so long have something else to do than to start jobs.
constexpr std::int64_t kPatience = 5 * USECS_PER_SEC;

// At once, not at the end of the transaction, as ever with ALTER SYSTEM. The server asks whether
// the caller may.
void AlterSystem(const char* statement) {
  board::RequireBoard();
  pg::Call([statement] {
    auto* parsed = linitial_node(RawStmt, pg_parse_query(statement));
    AlterSystemSetConfigFile(castNode(AlterSystemStmt, parsed->stmt));
    if (kill(PostmasterPid, SIGHUP) != 0) {
      ereport(WARNING, (errmsg("could not ask the server to reload its settings"),
                        errhint("Run SELECT pg_reload_conf().")));
    }
  });
}

std::vector<board::DatabaseView> ListDatabases() {
  std::vector<board::DatabaseView> databases;
  board::ListDatabases(&databases);
  return databases;
}

bool AnySchedulerStarts() {
  const std::vector<board::DatabaseView> databases = ListDatabases();
  return std::any_of(databases.begin(), databases.end(), [](const board::DatabaseView& view) {
    const auto entry = board::ViewDatabase(view.database);
    return entry && entry->scheduler().IsThere() && entry->starts;
  });
}

// Until then what is canceled could be followed by something new.
void WaitForSchedulers() {
  const policy::SteadyTime end = pg::SteadyNow() + kPatience;
  while (AnySchedulerStarts()) {
    if (end - pg::SteadyNow() < 0) {
      pg::Call([] {
        ereport(WARNING, (errmsg("a scheduler has not noticed yet that ratchet.enabled is off"),
                          errhint("Call ratchet.pause_server() again.")));
      });
      return;
    }
    pg::Call([] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLookMilliseconds,
                      PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
  }
}

// In all databases, those that the caller may cancel.
std::int64_t CancelEverything() {
  std::int64_t canceled = 0;
  for (const board::DatabaseView& view : ListDatabases()) {
    std::vector<board::LiveRun> runs;
    board::ListRuns(view.database, &runs);
    for (const board::LiveRun& run : runs) {
      if (run.state != board::RunState::kEnded && MayManage(run.ticket.owner) &&
          board::Cancel(view.database, run.ticket.run_id, GetUserId(),
                        [](Oid /*owner*/) { return true; }) == board::CancelResult::kCanceled) {
        canceled++;
      }
    }
  }
  return canceled;
}

std::int64_t PauseServer(const Arguments& arguments) {
  AlterSystem("ALTER SYSTEM SET ratchet.enabled = off");
  WaitForSchedulers();
  return arguments.BoolOr(0, false) ? CancelEverything() : 0;
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_pause_server);
PGDLLEXPORT Datum ratchet_pause_server(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction([fcinfo] {
    return Int64GetDatum(ratchet::api::PauseServer(ratchet::api::Arguments(fcinfo)));
  });
}

PG_FUNCTION_INFO_V1(ratchet_resume_server);
PGDLLEXPORT Datum ratchet_resume_server(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  ratchet::api::SqlFunction(
      [] { ratchet::api::AlterSystem("ALTER SYSTEM RESET ratchet.enabled"); });
  PG_RETURN_VOID();
}

}  // extern "C"
