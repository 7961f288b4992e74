// ratchet.status()
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "api/privilege.h"
#include "api/report.h"
#include "api/status_messages.h"
#include "board/database_board.h"
#include "board/pool_view.h"
#include "catalog/databases.h"
#include "catalog/home.h"
#include "catalog/installation.h"
#include "catalog/replication.h"
#include "pg/clock.h"
#include "pg/settings.h"
#include "pg/subtransaction.h"
#include "pg/time_zone.h"

extern "C" {
#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "utils/syscache.h"
}

namespace ratchet::api {
namespace {

std::string Count(int n, const char* thing) {
  return std::to_string(n) + " " + thing + (n == 1 ? "" : "s");
}

std::string TimeText(TimestampTz time) {
  std::string text;
  pg::Call([&text, time] { text = timestamptz_to_str(time); });
  return text;
}

// ---- This database -----------------------------------------------------------------------------

// What the rows say of the board.
struct BoardView {
  pid_t launcher_pid;
  TimestampTz processes_short_at;  // 0: were not
  int known = 0;                   // databases
  int schedulers = 0;
  int with_jobs = 0;  // this one, and those that have a scheduler or had one
  int left_out = 0;   // databases that have found no place
};

BoardView CopyBoard() {
  const policy::Moment now = pg::Now();
  const auto wall = [&now](policy::SteadyTime then) {
    return then.IsSet() ? now.wall - (now.steady - then) : 0;
  };
  const board::Lock lock(LW_SHARED);
  const board::Board& board = *board::TheBoard();
  return {board.launcher().pid, wall(board.processes_short_at)};
}

int CountLeftOut(const std::vector<board::DatabaseView>& known) {
  const std::vector<catalog::FoundDatabase> found = catalog::FindDatabases();
  return static_cast<int>(
      std::count_if(found.begin(), found.end(), [&known](const catalog::FoundDatabase& database) {
        return database.may_have_jobs &&
               std::none_of(known.begin(), known.end(), [&](const board::DatabaseView& view) {
                 return view.database == database.oid;
               });
      }));
}

BoardView ViewBoard() {
  BoardView view = CopyBoard();
  std::vector<board::DatabaseView> databases;
  board::ListDatabases(&databases);
  view.known = static_cast<int>(databases.size());
  for (const board::DatabaseView& database : databases) {
    const bool has_scheduler = database.scheduler_pid != 0;
    view.schedulers += has_scheduler ? 1 : 0;
    view.with_jobs += has_scheduler || database.state == board::DatabaseState::kResting ? 1 : 0;
  }
  view.with_jobs = std::max(view.with_jobs, 1);
  if (view.known >= pg::settings.max_databases) {
    view.left_out = CountLeftOut(databases);
  }
  return view;
}

// This function works with every version, so that it can say what is wrong. It looks at tables only
// when the scheduler has found something, so that it does not wait for a lock on one.
bool ReportMisfit(Report* report, bool tables) {
  catalog::Installation found = catalog::CompareVersions();
  if (found.fit == catalog::Fit::kFits && tables) {
    found = catalog::FindInstallation();
  }
  switch (found.fit) {
    case catalog::Fit::kOtherVersion:
      report->Add("scheduler", "version mismatch", found.message, found.hint);
      return true;
    case catalog::Fit::kOtherTables:
      report->Add("scheduler", "table mismatch", found.message + ". " + found.detail, found.hint);
      return true;
    case catalog::Fit::kOtherOwner:
      report->Add("scheduler", "unsafe owner",
                  "the tables of the extension belong to a role that is no superuser",
                  "Give what belongs to the extension back to a superuser.");
      return true;
    case catalog::Fit::kAbsent:
    case catalog::Fit::kFits:
      break;
  }
  return false;
}

// The launcher leaves such a database alone.
bool ReportUnfit(Report* report) {
  bool is_template = false;
  bool allows_connections = true;
  pg::Call([&] {
    HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (HeapTupleIsValid(tuple)) {
      const auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
      is_template = form->datistemplate;
      allows_connections = form->datallowconn;
      ReleaseSysCache(tuple);
    }
  });
  if (is_template) {
    report->Add("scheduler", "absent", "jobs do not run in a template database",
                "Run ALTER DATABASE ... IS_TEMPLATE false.");
  } else if (!allows_connections) {
    report->Add("scheduler", "absent", "jobs do not run in a database that allows no connections",
                "Run ALTER DATABASE ... ALLOW_CONNECTIONS true.");
  }
  return is_template || !allows_connections;
}

void ReportUnknown(Report* report, const BoardView& board) {
  if (board.launcher_pid == 0) {
    report->Add("scheduler", "absent", "the launcher starts it");
  } else if (board.left_out > 0) {
    report->Add("scheduler", "absent", "there are more databases than ratchet.max_databases");
  } else {
    report->Add("scheduler", "starting");
  }
}

constexpr char kAdoptHint[] = "Run SELECT ratchet.adopt() to let them run here.";

const char* WhatIsCopied(policy::Copy copy) {
  switch (copy) {
    case policy::Copy::kRestored:
      return "this server was restored from a backup: its jobs may still run where it was taken";
    case policy::Copy::kBackup:
      return "this server was started from a base backup: its jobs may still run where it was "
             "taken";
    case policy::Copy::kDirectory:
      return "the data directory is a copy: its jobs may still run where it was copied from";
    case policy::Copy::kNone:
      break;
  }
  return "this database is a copy: its jobs are at home in another one";
}

void ReportScheduler(Report* report, const BoardView& board,
                     const std::optional<board::DatabaseEntry>& database) {
  if (ReportMisfit(report, database && database->misfit) || ReportUnfit(report)) {
    return;
  }
  if (!database) {
    ReportUnknown(report, board);
    return;
  }
  if (database->quarantined) {
    report->Add("scheduler", "quarantined", WhatIsCopied(database->copy), kAdoptHint);
    return;
  }
  if (database->quarantined_jobs > 0 && database->quarantined_jobs == database->jobs) {
    report->Add("scheduler", "quarantined",
                "the jobs of this database were restored from a dump, or written by hand",
                kAdoptHint);
    return;
  }
  if (database->holds > 0) {
    report->Add(
        "scheduler", "held",
        "process " + std::to_string(database->holder_pid) + " keeps everybody out of this database",
        "Jobs go on when its transaction ends: it renames, moves, copies or drops the "
        "database.");
    return;
  }
  switch (database->state) {
    case board::DatabaseState::kActive:
      if (database->failing_since != 0) {
        report->Add("scheduler", "failing",
                    "pid " + std::to_string(database->scheduler().pid) + ", since " +
                        TimeText(database->failing_since) + ": " + database->failure,
                    "Nothing is started before that is mended. The server's log tells more.");
        return;
      }
      report->Add("scheduler", "active",
                  "pid " + std::to_string(database->scheduler().pid) + ", " +
                      Count(static_cast<int>(database->jobs), "job"));
      return;
    case board::DatabaseState::kResting:
      report->Add("scheduler", "resting",
                  !database->rest_until.IsSet() && board.processes_short_at != 0
                      ? "waits for a background process"
                      : "starts again when a job is due or something changes");
      return;
    case board::DatabaseState::kAbsent:
      report->Add("scheduler", "absent", "there are no jobs here");
      return;
    case board::DatabaseState::kUnknown:
    case board::DatabaseState::kStarting:
      break;
  }
  report->Add("scheduler", "starting");
}

// ---- The server --------------------------------------------------------------------------------

// A moment in which all workers are busy is no shortage.
constexpr std::int64_t kPatience = USECS_PER_SEC;

void ReportWorkers(Report* report) {
  std::vector<board::WorkerSlot> workers;
  board::ListWorkers(&workers);
  int used = 0;
  int idle = 0;
  for (const board::WorkerSlot& worker : workers) {
    used += worker.state != board::WorkerState::kFree ? 1 : 0;
    idle += worker.state == board::WorkerState::kIdle ? 1 : 0;
  }
  const std::string detail = std::to_string(used) + " of " +
                             std::to_string(pg::settings.max_workers) + ", " +
                             std::to_string(idle) + " idle";
  const policy::SteadyTime since = board::WorkersShortSince();
  const policy::Moment now = pg::Now();
  if (since.IsSet() && now.steady - since > kPatience) {
    report->Add(
        "workers", "short",
        detail + ", runs wait for a worker since " + TimeText(now.wall - (now.steady - since)),
        "Raise ratchet.max_workers, and max_worker_processes with it.");
  } else {
    report->Add("workers", "ok", detail);
  }
}

// Roles that have as many workers as a role may have, and want more.
void ReportShares(Report* report) {
  const policy::Moment now = pg::Now();
  std::vector<board::HeldPool> pools = board::ListHeldPools();
  std::erase_if(
      pools, [&now](const board::HeldPool& pool) { return now.steady - pool.since <= kPatience; });
  std::sort(pools.begin(), pools.end(), [](const board::HeldPool& a, const board::HeldPool& b) {
    return std::tie(a.role, a.since) < std::tie(b.role, b.since);
  });
  Oid last = InvalidOid;
  for (const board::HeldPool& pool : pools) {
    if (pool.role != last) {
      last = pool.role;
      report->Add(
          "worker share", "used up",
          "role " + QuotedRoleName(pool.role) + " has all " + std::to_string(pool.role_workers) +
              " workers that ratchet.max_workers_per_role gives it, and runs that wait since " +
              TimeText(now.wall - (now.steady - pool.since)),
          "ratchet.running says what takes long. ratchet.max_run_time bounds it.");
    }
  }
}

Oid OwnerOfDatabase(Oid database) {
  return pg::Call([database] {
    HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(tuple)) {
      return InvalidOid;
    }
    const Oid owner = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datdba;
    ReleaseSysCache(tuple);
    return owner;
  });
}

// "5 of 7 schedulers are for databases of role dbo"; "" where nobody has most of them.
std::string MostSchedulers() {
  std::vector<board::DatabaseView> databases;
  board::ListDatabases(&databases);
  std::map<Oid, int> shares;
  int all = 0;
  for (const board::DatabaseView& database : databases) {
    if (database.scheduler_pid != 0) {
      shares[OwnerOfDatabase(database.database)]++;
      all++;
    }
  }
  const auto most =
      std::max_element(shares.begin(), shares.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == shares.end() || most->second * 2 <= all || !OidIsValid(most->first)) {
    return {};
  }
  return ", " + std::to_string(most->second) + " of " + Count(all, "scheduler") +
         " are for databases of role " + QuotedRoleName(most->first);
}

void ReportProcesses(Report* report, const BoardView& board) {
  const int wanted = board::MostProcesses(board.with_jobs, pg::settings.max_workers);
  const std::string detail = "max_worker_processes is " + std::to_string(max_worker_processes) +
                             ", pg_ratchet may need " + std::to_string(wanted);
  if (board.processes_short_at != 0) {
    report->Add(
        "processes", "short",
        detail + ", none was free at " + TimeText(board.processes_short_at) + MostSchedulers(),
        "Raise max_worker_processes and restart the server.");
  } else if (max_worker_processes < wanted) {
    report->Add("processes", "short", detail, "Raise max_worker_processes and restart the server.");
  } else {
    report->Add("processes", "ok", detail);
  }
}

void ReportDatabases(Report* report, const BoardView& board) {
  const std::string detail = std::to_string(board.known) + " of " +
                             std::to_string(pg::settings.max_databases) + " known, " +
                             Count(board.schedulers, "scheduler");
  if (board.left_out > 0) {
    report->Add("databases", "full", detail + ", " + std::to_string(board.left_out) + " left out",
                "Raise ratchet.max_databases and restart the server.");
  } else {
    report->Add("databases", "ok", detail);
  }
}

// Only where there is something to say.
void ReportSchedules(Report* report, const std::optional<board::DatabaseEntry>& database) {
  if (database && database->problems > 0) {
    report->Add("schedules", "standing still",
                Count(static_cast<int>(database->problems), "job") +
                    " with a schedule or time zone that cannot be read",
                "ratchet.job_health says which and why.");
  }
  const std::vector<std::string> zones = pg::OutdatedZones();
  if (!zones.empty()) {
    report->Add("time zones", "outdated",
                "the rules of " + zones.front() + " have changed since the server started, which " +
                    "has read them for all its processes",
                "Restart the server.");
  }
}

void ReportReplication(Report* report) {
  if (const std::string name = catalog::FindSubscription(); !name.empty()) {
    report->Add(
        "replication", "left out",
        "subscription \"" + name +
            "\" brings rows of the extension's tables: jobs here are those of this database");
  }
  if (const std::string name = catalog::FindPublication(); !name.empty()) {
    report->Add("replication", "published",
                "publication \"" + name +
                    "\" has the extension's tables: subscribers leave their rows out");
  }
}

// Tables that do not fit are told by ReportMisfit. The lock goes with the subtransaction.
catalog::PauseOfAll FindPause() {
  try {
    const pg::Subtransaction glance;
    return catalog::GlancePauseOfAll();
  } catch (const pg::PgError& error) {
    if (error.sqlstate() == ERRCODE_QUERY_CANCELED) {
      throw;
    }
    return {};
  }
}

void ReportPauseOfAll(Report* report) {
  const catalog::PauseOfAll pause = FindPause();
  if (pause.since != 0) {
    report->Add("jobs", "paused",
                "all of this database, since " + TimeText(pause.since) + " by role " +
                    QuotedRoleName(pause.by) + ": nothing starts, what runs is let finish",
                "Run SELECT ratchet.resume_all() to let them go on.");
  }
}

void ReportQuarantine(Report* report, const std::optional<board::DatabaseEntry>& database) {
  if (!database || database->quarantined_rows == 0) {
    return;
  }
  const auto jobs = static_cast<int>(database->quarantined_jobs);
  const auto others = static_cast<int>(database->quarantined_rows - database->quarantined_jobs);
  report->Add("jobs", "quarantined",
              (jobs > 0 ? Count(jobs, "job") : std::string()) +
                  (jobs > 0 && others > 0 ? ", " : "") +
                  (others > 0 ? Count(others, "other row") : std::string()) +
                  ": not written by pg_ratchet in this database, and held back",
              "Look at them in ratchet.jobs (held) and ratchet.runs. SELECT ratchet.adopt() lets "
              "them run here.");
}

void Status(FunctionCallInfo call) {
  Report report(call);
  if (board::TheBoard() == nullptr) {
    report.Add("library", "not preloaded", "jobs can be defined, and none runs",
               board::kNotLoadedHint);
    ReportMisfit(&report, false);
    return;
  }
  report.Add("library", "preloaded");
  report.Add("enabled", pg::settings.enabled ? "on" : "off",
             pg::settings.enabled ? "" : "nothing starts, what runs is let finish",
             pg::settings.enabled ? "" : "Set ratchet.enabled to on.");
  const BoardView board = ViewBoard();
  if (RecoveryInProgress()) {
    report.Add("launcher", "standby", "jobs run on the primary; they go on here after promotion");
  } else if (board.launcher_pid != 0) {
    report.Add("launcher", "running", "pid " + std::to_string(board.launcher_pid));
  } else {
    report.Add("launcher", "not running", "it is started again within seconds",
               "If it stays away, look into the server's log: there may have been no process for "
               "it. If the clock was set back meanwhile and no scheduler was there, restart the "
               "server.");
  }
  ReportScheduler(&report, board, board::ViewDatabase(MyDatabaseId));
  ReportWorkers(&report);
  ReportShares(&report);
  ReportDatabases(&report, board);
  ReportProcesses(&report, board);
  ReportSchedules(&report, board::ViewDatabase(MyDatabaseId));
  ReportPauseOfAll(&report);
  ReportQuarantine(&report, board::ViewDatabase(MyDatabaseId));
  ReportReplication(&report);
  ReportMessages(&report);
  report.Add("environment",
             pg::settings.environment[0] != '\0' ? pg::settings.environment : "none");
  report.Add("node", pg::NodeName());
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_status);
PGDLLEXPORT Datum ratchet_status(PG_FUNCTION_ARGS) {
  ratchet::pg::Entry([fcinfo] { ratchet::api::Status(fcinfo); });
  return static_cast<Datum>(0);
}

// The server's name for the view runs.
PG_FUNCTION_INFO_V1(ratchet_node);
PGDLLEXPORT Datum ratchet_node(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return ratchet::pg::Entry([] {
    return ratchet::pg::Call([] { return CStringGetTextDatum(ratchet::pg::NodeName()); });
  });
}

}  // extern "C"
