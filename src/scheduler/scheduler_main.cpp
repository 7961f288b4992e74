// The process of a database's scheduler.
#include <algorithm>
#include <optional>

#include "board/process_board.h"
#include "catalog/installation.h"
#include "catalog/lock_blockers.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/open_tables.h"
#include "pg/time_zone.h"
#include "pg/transaction.h"
#include "process/database_process.h"
#include "process/recover.h"
#include "scheduler/bounded_waits.h"
#include "scheduler/launcher.h"
#include "scheduler/scheduler.h"

namespace ratchet::scheduler {
namespace {

// After an error the tables are read again no sooner than this.
constexpr std::int64_t kPauseAfterError = USECS_PER_SEC;

// While somebody has a lock that it needs.
constexpr std::int64_t kPauseAfterWait = 100'000;

// Zones are looked at so often, and when the configuration is read again.
constexpr std::int64_t kZonesEvery = 60 * USECS_PER_SEC;

constexpr char kActivity[] = "scheduling";

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
    process::ReportAndRecover(kActivity, error);
    board::NotePass(entry, now.wall, error.what());
    return kPauseAfterError;
  }
  process::Recover();
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
    process::ReportAndRecover("looking for who is in the way", failure);
  }
  return kPauseAfterWait;
}

class SchedulerProcess : public process::DatabaseProcess {
 public:
  explicit SchedulerProcess(Datum database)
      : DatabaseProcess(board::ProcessKind::kScheduler, kActivity, database) {}

  bool Attach() override;
  process::Next Turn(bool reloaded) override;
  process::Next Failed(const std::exception& error) override;
  void End() override;
  void LastWords() override { scheduler_->LastWords(); }

 private:
  bool MustBeginAfresh(bool reloaded);
  bool Pass();
  process::Next SleepUntil(policy::SteadyTime wake) const;

  std::optional<Scheduler> scheduler_;
  PassResult result_ = PassResult::kGoOn;
  policy::SteadyTime pause_until_{};
  policy::SteadyTime zones_seen_{};
  policy::Moment now_{};  // of the turn
  catalog::LockBlockers blockers_;
};

bool SchedulerProcess::Attach() {
  pg::Call([] { pg::KeepTablesOpen(); });
  if (!DatabaseProcess::Attach()) {
    return false;
  }
  BoundWaits();
  scheduler_.emplace(entry());
  zones_seen_ = pg::SteadyNow();
  pg::ZoneDirectoryHasChanged();
  return true;
}

process::Next SchedulerProcess::Turn(bool reloaded) {
  ForgetLateTimeout();
  if (reloaded) {
    scheduler_->SettingsChanged();
  }
  now_ = pg::Now();
  if (MustBeginAfresh(reloaded)) {
    result_ = PassResult::kAfresh;
    return {process::Then::kLeave};
  }
  if (now_.steady < pause_until_) {
    return SleepUntil(pause_until_);
  }
  try {
    if (!Pass()) {
      return {process::Then::kLeave};
    }
  } catch (const ExtensionReplaced&) {
    scheduler_->Forget();
    process::Recover();
    return {process::Then::kGoOn};
  }
  const policy::Moment after = pg::Now();
  return SleepUntil(after.steady + scheduler_->NextWake(after));
}

bool SchedulerProcess::MustBeginAfresh(bool reloaded) {
  if (!reloaded && now_.steady - zones_seen_ < kZonesEvery) {
    return false;
  }
  zones_seen_ = now_.steady;
  return NeedsFreshProcess();
}

// False when the process has to go.
bool SchedulerProcess::Pass() {
  result_ = scheduler_->Pass(now_);
  if (result_ != PassResult::kGoOn) {
    return false;
  }
  scheduler_->Watch();
  scheduler_->TellNextWork(now_);
  pause_until_ = {};
  board::NotePass(entry(), now_.wall, scheduler_->Trouble());
  return true;
}

process::Next SchedulerProcess::Failed(const std::exception& error) {
  scheduler_->Forget();
  const std::int64_t pause = Fail(entry(), error, now_, &blockers_);
  pause_until_ = pg::SteadyNow() + pause;
  return SleepUntil(pause_until_);
}

process::Next SchedulerProcess::SleepUntil(policy::SteadyTime wake) const {
  return {process::Then::kSleep, StandInForLauncher(pg::SteadyNow(), wake)};
}

void SchedulerProcess::End() {
  const bool absent = result_ == PassResult::kAbsent;
  if (!absent) {
    scheduler_->Finish();
  }
  board::RetireScheduler(
      entry(), absent ? board::DatabaseState::kAbsent : board::DatabaseState::kResting,
      result_ == PassResult::kAfresh ? policy::kNoSteadyTime : scheduler_->RestUntil(pg::Now()));
}

}  // namespace
}  // namespace ratchet::scheduler

extern "C" PGDLLEXPORT void ratchet_scheduler_main(Datum database);

void ratchet_scheduler_main(Datum database) {
  ratchet::process::Main<ratchet::scheduler::SchedulerProcess>(database);
}
