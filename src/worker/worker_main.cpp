// The process "ratchet worker": connected to one database as one role, it runs ready runs of that
// role, one after the other, lingers for a while when there are none, and leaves.
#include <cstring>

#include "board/run_board.h"
#include "board/worker_board.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/last_words.h"
#include "pg/open_tables.h"
#include "pg/settings.h"
#include "pg/snapshot_watch.h"
#include "worker/cancel_window.h"
#include "worker/planned_stop.h"
#include "worker/run.h"
#include "worker/session.h"
#include "worker/start_watch.h"

extern "C" {
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/ps_status.h"
#include "utils/wait_event.h"
}

#include <csignal>

namespace ratchet::worker {
namespace {

// After this many runs a look at the process's memory is due.
constexpr int kRunsBetweenLooks = 64;
// The server flushes statistics no more often than this.
constexpr long kStatisticsInterval = 1000;  // milliseconds

// The error of which the process dies is told to the board, where the scheduler finds it.
void AtLastWords(int sqlstate, const char* message, const char* detail) noexcept {
  if (StartWatch::HasGivenUp()) {
    board::SetLastWords(ERRCODE_LOCK_NOT_AVAILABLE, "a system catalog is locked", "");
  } else {
    board::SetLastWords(sqlstate, message, detail);
  }
}

void AtMessage(void* /*argument*/) { pg::HearLastWords(); }

void SetUpProcess() {
  InstallStopHandler();
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  InstallCancelHandler();
  pg::ListenForLastWords(AtLastWords);
  static ErrorContextCallback context{nullptr, AtMessage, nullptr};
  error_context_stack = &context;
  BackgroundWorkerUnblockSignals();
}

void ServeInterrupts() {
  pg::Call([] {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
  });
}

// How long the worker has been without work, by a clock that nobody sets back.
class IdleClock {
 public:
  void Begin() {
    if (!is_idle_) {
      is_idle_ = true;
      INSTR_TIME_SET_CURRENT(since_);
    }
  }
  void End() { is_idle_ = false; }
  // Milliseconds until it has lasted for `timeout`.
  long Left(long timeout) const {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, since_);
    return timeout - static_cast<long>(INSTR_TIME_GET_MILLISEC(now));
  }

 private:
  bool is_idle_ = false;
  instr_time since_{};
};

class Worker {
 public:
  Worker(int slot, Oid database, Oid role) : slot_(slot), session_(database, role) {}

  // Returns when the process must exit.
  void Work();

 private:
  bool RunNext(int run);
  void ShowIdle();
  bool Wait();

  int slot_;
  Session session_;
  IdleClock idle_;
  bool shows_idle_ = false;
  bool statistics_pending_ = false;
  int runs_until_look_ = kRunsBetweenLooks;
};

void Worker::Work() {
  for (;;) {
    ServeInterrupts();
    SetAtStop(AtStop::kCancel);
    if (StopIsAsked()) {
      return;
    }
    if (!session_.IsFresh(false)) {
      board::Leave(slot_);
      return;
    }
    // A cancel that is still here was meant for nobody. What arrives from now on is for the next
    // run.
    QueryCancelPending = false;
    int run = board::kNone;
    switch (board::Take(slot_, pg::Now(), &run)) {
      case board::Turn::kRun:
        if (!RunNext(run)) {
          return;
        }
        break;
      case board::Turn::kNothing:
        SetAtStop(AtStop::kDie);
        if (!Wait()) {
          return;
        }
        break;
      case board::Turn::kLeave:
        return;
    }
  }
}

// False when the process must not run anything else.
bool Worker::RunNext(int run) {
  idle_.End();
  shows_idle_ = false;
  const RunFinish finish = RunTaken(session_, run);
  statistics_pending_ = pg::Call([] { return pgstat_report_stat(false); }) > 0;
  const bool look = finish.look_at_memory || --runs_until_look_ <= 0;
  if (look) {
    runs_until_look_ = kRunsBetweenLooks;
  }
  if (finish.session_is_clean && session_.IsFresh(look)) {
    return true;
  }
  board::Leave(slot_);
  return false;
}

void Worker::ShowIdle() {
  if (!shows_idle_) {
    shows_idle_ = true;
    pgstat_report_activity(STATE_IDLE, nullptr);
    set_ps_display("idle");
  }
}

// Sleeps until there may be work. False when there was none for long enough.
bool Worker::Wait() {
  idle_.Begin();
  ShowIdle();
  const long left = idle_.Left(pg::settings.worker_idle_timeout);
  if (left <= 0 && board::Leave(slot_)) {
    return false;
  }
  // The server flushes statistics once per second at most; what is left over is flushed before the
  // worker falls asleep for long.
  const long timeout =
      statistics_pending_ && left > kStatisticsInterval ? kStatisticsInterval : left;
  const int events = pg::Call([timeout] {
    return WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                     timeout > 0 ? timeout : 0, PG_WAIT_EXTENSION);
  });
  ResetLatch(MyLatch);
  if ((events & WL_TIMEOUT) != 0 && statistics_pending_) {
    pg::Call([] { pgstat_report_stat(true); });
    statistics_pending_ = false;
  }
  return true;
}

void Main(int slot) {
  SetUpProcess();
  std::uint32_t generation = 0;
  std::memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
  Oid database = InvalidOid;
  Oid role = InvalidOid;
  if (!board::AttachWorker(slot, generation, &database, &role)) {
    return;
  }
  RefuseCancels();
  Worker worker(slot, database, role);
  // A batch may write down hundreds of failed items.
  pg::Call([] { pg::KeepTablesOpen(); });
  pg::SnapshotWatch::Install();
  worker.Work();
}

}  // namespace
}  // namespace ratchet::worker

extern "C" PGDLLEXPORT void ratchet_worker_main(Datum slot);

extern "C" PGDLLEXPORT void ratchet_worker_main(Datum slot) {
  ratchet::pg::Entry([slot] { ratchet::worker::Main(DatumGetInt32(slot)); });
}
