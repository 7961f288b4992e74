#include "scheduler/scheduler_main.h"

#include <algorithm>

#include "catalog/installation.h"
#include "catalog/lock_blockers.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/open_tables.h"
#include "pg/time_zone.h"
#include "pg/transaction.h"
#include "scheduler/bounded_waits.h"
#include "scheduler/launcher.h"
#include "scheduler/process.h"
#include "scheduler/scheduler.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "utils/guc.h"
}

namespace ratchet::scheduler {
namespace {

// After an error the tables are read again no sooner than this.
constexpr std::int64_t kPauseAfterError = USECS_PER_SEC;

// While somebody has a lock that it needs.
constexpr std::int64_t kPauseAfterWait = 100'000;

// Zones are looked at so often, and when the configuration is read again.
constexpr std::int64_t kZonesEvery = 60 * USECS_PER_SEC;

constexpr const char* kSettings[][2] = {
    {"default_transaction_read_only", "off"},  {"default_transaction_isolation", "read committed"},
    {"default_transaction_deferrable", "off"}, {"DateStyle", "ISO"},
    {"client_min_messages", "warning"},
};

// The scheduler of this process, while there is one.
Scheduler* the_scheduler = nullptr;

// Nobody runs a destructor when the process is terminated. Registered behind those of the server,
// it is called before them.
void AtExit(int /*code*/, Datum /*argument*/) {
  if (the_scheduler == nullptr || !PostmasterIsAlive()) {
    return;
  }
  Scheduler* const scheduler = the_scheduler;
  the_scheduler = nullptr;
  try {
    scheduler->LastWords();
  } catch (const std::exception&) {
    // The counts are lost. An error here ends the process, which ends already.
  }
}

class Registered {
 public:
  explicit Registered(Scheduler* scheduler) { the_scheduler = scheduler; }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;
  ~Registered() { the_scheduler = nullptr; }
};

void Connect(Oid database) {
  pg::Call([database] {
    pg::IgnoreTransactionTimeout();
    pg::KeepTablesOpen();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    // What the scheduler writes is waited for by nobody, and its statements are its own.
    SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
    // Whatever ALTER DATABASE or ALTER ROLE have set for people.
    for (const auto& setting : kSettings) {
      SetConfigOption(setting[0], setting[1], PGC_SUSET, PGC_S_OVERRIDE);
    }
    SetConfigOption("application_name", "pg_ratchet scheduler", PGC_USERSET, PGC_S_SESSION);
    pgstat_report_appname("pg_ratchet scheduler");
    pgstat_report_activity(STATE_IDLE, nullptr);
    before_shmem_exit(AtExit, 0);
  });
  BoundWaits();
}

// The time zone database may be replaced under a running server. A process goes by what it has read
// once; new sessions go by what is there now, and so must jobs.
bool NeedsFreshProcess() {
  const bool has_changed = pg::Call([] { return pg::ZonesHaveChanged(); });
  if (has_changed) {
    ereport(LOG, (errmsg("time zones have changed: a new scheduler takes over")));
  }
  // Runs may use other zones than those of schedules.
  if (pg::ZoneDirectoryHasChanged() || has_changed) {
    board::NewZonesEpoch();
  }
  return has_changed;
}

// A pass has failed. Returns for how long the tables are left alone.
std::int64_t Fail(board::DatabaseEntry* entry, const std::exception& error,
                  const policy::Moment& now, catalog::LockBlockers* blockers) {
  const std::optional<catalog::LockWait> wait = TakeEndedWait();
  if (!wait) {
    ReportAndRecover("scheduling", error);
    board::NotePass(entry, now.wall, error.what());
    return kPauseAfterError;
  }
  Recover();
  ForgetLateTimeout();
  try {
    pg::Transaction transaction;
    const std::string words = blockers->MakeWay(*wait, pg::SteadyNow());
    transaction.Commit();
    if (!words.empty()) {
      board::NotePass(entry, now.wall, words.c_str());
    }
  } catch (const std::exception& failure) {
    TakeEndedWait();
    ReportAndRecover("looking for who is in the way", failure);
  }
  return kPauseAfterWait;
}

// What the scheduler does until it has to go.
PassResult Work(board::DatabaseEntry* entry, Scheduler* scheduler) {
  policy::SteadyTime pause_until{};
  policy::SteadyTime zones_seen = pg::SteadyNow();
  catalog::LockBlockers blockers;
  pg::ZoneDirectoryHasChanged();
  while (true) {
    ForgetLateTimeout();
    const bool reloaded = ServeInterrupts();
    if (reloaded) {
      scheduler->SettingsChanged();
    }
    policy::Moment now = pg::Now();
    if (reloaded || now.steady - zones_seen >= kZonesEvery) {
      zones_seen = now.steady;
      if (NeedsFreshProcess()) {
        return PassResult::kAfresh;
      }
    }
    if (now.steady >= pause_until) {
      try {
        const PassResult result = scheduler->Pass(now);
        if (result != PassResult::kGoOn) {
          return result;
        }
        scheduler->Watch();
        scheduler->TellNextWork(now);
        pause_until = {};
        board::NotePass(entry, now.wall, scheduler->Trouble());
      } catch (const ExtensionReplaced&) {
        scheduler->Forget();
        Recover();
        continue;
      } catch (const std::exception& error) {
        scheduler->Forget();
        const std::int64_t pause = Fail(entry, error, now, &blockers);
        pause_until = pg::SteadyNow() + pause;
      }
      now = pg::Now();
    }
    const policy::SteadyTime wake =
        pause_until.IsSet() ? pause_until : now.steady + scheduler->NextWake(now);
    SleepFor(StandInForLauncher(now.steady, wake) - now.steady);
  }
}

void Main(Oid database) {
  InstallSignalHandlers();
  board::DatabaseEntry* entry = board::AttachScheduler(database);
  if (entry == nullptr) {
    return;
  }
  Connect(database);
  Scheduler scheduler(entry);
  const Registered registered(&scheduler);
  const PassResult result = Work(entry, &scheduler);
  if (result != PassResult::kAbsent) {
    scheduler.Finish();
  }
  board::Detach(
      entry,
      result == PassResult::kAbsent ? board::DatabaseState::kAbsent
                                    : board::DatabaseState::kResting,
      result == PassResult::kAfresh ? policy::kNoSteadyTime : scheduler.RestUntil(pg::Now()));
}

}  // namespace
}  // namespace ratchet::scheduler

void ratchet_scheduler_main(Datum database) {
  ratchet::pg::Entry([database] { ratchet::scheduler::Main(DatumGetObjectId(database)); });
  proc_exit(0);
}
