// The process "ratchet worker": connected to one database as one role, it runs ready runs of that
// role, one after the other, lingers for a while when there are none, and leaves.
#include <algorithm>
#include <cstring>
#include <optional>

#include "board/run_board.h"
#include "board/worker_board.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/open_tables.h"
#include "pg/settings.h"
#include "pg/snapshot_watch.h"
#include "process/process.h"
#include "worker/cancel_window.h"
#include "worker/planned_stop.h"
#include "worker/run.h"
#include "worker/session.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "utils/backend_status.h"
#include "utils/ps_status.h"
}

namespace ratchet::worker {
namespace {

// After this many runs a look at the process's memory is due.
constexpr int kRunsBetweenLooks = 64;
// The server flushes statistics no more often than this.
constexpr std::int64_t kStatisticsInterval = USECS_PER_SEC;

class Worker : public process::Process {
 public:
  explicit Worker(Datum slot)
      : Process(board::ProcessKind::kWorker, "running jobs"), slot_(DatumGetInt32(slot)) {}

  void SetSignals() override;
  bool Attach() override;
  process::Next Turn(bool reloaded) override;
  // What is no error of a run ends the process.
  [[noreturn]] process::Next Failed(const std::exception& /*error*/) override { throw; }
  void Detach() noexcept override { board::DetachWorker(); }

 private:
  bool RunNext(int run);
  process::Next Wait();

  int slot_;
  std::optional<Session> session_;
  policy::SteadyTime idle_since_{};      // not set: it has work
  policy::SteadyTime statistics_due_{};  // not set: none are left over
  int runs_until_look_ = kRunsBetweenLooks;
};

void Worker::SetSignals() {
  InstallStopHandler();
  InstallCancelHandler();
}

bool Worker::Attach() {
  std::uint32_t generation = 0;
  std::memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
  Oid database = InvalidOid;
  Oid role = InvalidOid;
  if (!board::AttachWorker(slot_, generation, &database, &role)) {
    return false;
  }
  RefuseCancels();
  session_.emplace(database, role);
  // A batch may write down hundreds of failed items.
  pg::Call([] { pg::KeepTablesOpen(); });
  pg::SnapshotWatch::Install();
  return true;
}

process::Next Worker::Turn(bool /*reloaded*/) {
  constexpr process::Next kLeave{process::Then::kLeave};
  SetAtStop(AtStop::kCancel);
  if (StopIsAsked()) {
    return kLeave;
  }
  if (!session_->IsFresh(false)) {
    board::Leave(slot_);
    return kLeave;
  }
  // A cancel that is still here was meant for nobody. What arrives from now on is for the next run.
  QueryCancelPending = false;
  int run = board::kNone;
  switch (board::Take(slot_, pg::Now(), &run)) {
    case board::Turn::kRun:
      return RunNext(run) ? process::Next{process::Then::kGoOn} : kLeave;
    case board::Turn::kNothing:
      SetAtStop(AtStop::kDie);
      return Wait();
    case board::Turn::kLeave:
      break;
  }
  return kLeave;
}

// False when the process must not run anything else.
bool Worker::RunNext(int run) {
  idle_since_ = {};
  const RunFinish finish = RunTaken(*session_, run);
  const bool left_over = pg::Call([] { return pgstat_report_stat(false); }) > 0;
  statistics_due_ = left_over ? pg::SteadyNow() + kStatisticsInterval : policy::kNoSteadyTime;
  const bool look = finish.look_at_memory || --runs_until_look_ <= 0;
  if (look) {
    runs_until_look_ = kRunsBetweenLooks;
  }
  if (finish.session_is_clean && session_->IsFresh(look)) {
    return true;
  }
  board::Leave(slot_);
  return false;
}

// Sleeps until there may be work, and leaves when there was none for long enough.
process::Next Worker::Wait() {
  const policy::SteadyTime now = pg::SteadyNow();
  if (!idle_since_.IsSet()) {
    idle_since_ = now;
    pgstat_report_activity(STATE_IDLE, nullptr);
    set_ps_display("idle");
  }
  const policy::SteadyTime until =
      idle_since_ + std::int64_t{pg::settings.worker_idle_timeout} * 1000;
  if (now >= until && board::Leave(slot_)) {
    return {process::Then::kLeave};
  }
  // The server flushes statistics once per second at most; what is left over is flushed before the
  // worker falls asleep for long.
  if (statistics_due_.IsSet() && now >= statistics_due_) {
    pg::Call([] { pgstat_report_stat(true); });
    statistics_due_ = {};
  }
  return {process::Then::kSleep,
          statistics_due_.IsSet() ? std::min(statistics_due_, until) : until};
}

}  // namespace
}  // namespace ratchet::worker

extern "C" PGDLLEXPORT void ratchet_worker_main(Datum slot);

void ratchet_worker_main(Datum slot) { ratchet::process::Main<ratchet::worker::Worker>(slot); }
