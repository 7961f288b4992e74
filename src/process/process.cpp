#include "process/process.h"

#include <algorithm>

#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/last_words.h"
#include "pg/settings.h"
#include "process/recover.h"

extern "C" {
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "tcop/tcopprot.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"
}

#include <csignal>

namespace ratchet::process {
namespace {

constexpr std::int64_t kPauseAfterError = USECS_PER_SEC;

// For the exit callbacks.
Process* the_process = nullptr;
bool is_in_loop = false;

void AtMessage(void* /*argument*/) { pg::HearLastWords(); }

void Ignore(SIGNAL_ARGS) { static_cast<void>(RATCHET_SIGNAL); }

void SetUp(Process* process) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  // A cancel is meant for a run, and there is none here.
  pqsignal(SIGINT, Ignore);
  process->SetSignals();
  pg::ListenForLastWords();
  static ErrorContextCallback context{nullptr, AtMessage, nullptr};
  error_context_stack = &context;
  BackgroundWorkerUnblockSignals();
}

void BeforeExit(int /*code*/, Datum /*argument*/) {
  if (!is_in_loop || !PostmasterIsAlive()) {
    return;
  }
  is_in_loop = false;
  try {
    the_process->LastWords();
  } catch (const std::exception&) {
    // They are lost. An error here ends the process, which ends already.
  }
}

void AtExit(int /*code*/, Datum /*argument*/) { the_process->Detach(); }

class InLoop {
 public:
  InLoop() { is_in_loop = true; }
  InLoop(const InLoop&) = delete;
  InLoop& operator=(const InLoop&) = delete;
  ~InLoop() { is_in_loop = false; }
};

// True when the settings have been read again.
bool ServeInterrupts() {
  return pg::Call([] {
    // Between two turns a cancel is meant for nobody.
    QueryCancelPending = false;
    CHECK_FOR_INTERRUPTS();
    // A latch that is set at each turn is never waited for, and only who waits hears of this.
    if (!PostmasterIsAlive()) {
      proc_exit(1);
    }
    return pg::ReadSettingsIfAsked();
  });
}

Next TakeTurn(Process* process) {
  const bool reloaded = ServeInterrupts();
  try {
    return process->Turn(reloaded);
  } catch (const std::exception& error) {
    return process->Failed(error);
  }
}

// The server sets the latch at each timeout, and more is not wanted.
void DoNothing() {}

// For so many microseconds, to the fraction of a millisecond.
void SleepFor(std::int64_t left) {
  pg::Call([left] {
    if (left > 0 && left < 1000) {
      // A latch waits for whole milliseconds, which is late for what is due in less.
      static const TimeoutId timer = RegisterTimeout(USER_TIMEOUT, DoNothing);
      // The signal comes after that time, and sets the latch, also if the clock is set meanwhile.
      enable_timeout_at(timer, GetCurrentTimestamp() + left);
      WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0, PG_WAIT_EXTENSION);
      disable_timeout(timer, false);
    } else {
      const long timeout = static_cast<long>(std::clamp<std::int64_t>(left / 1000, 0, 3'600'000));
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
                PG_WAIT_EXTENSION);
    }
    ResetLatch(MyLatch);
  });
}

void Loop(Process* process) {
  const InLoop in_loop;
  for (;;) {
    const Next next = TakeTurn(process);
    if (next.then == Then::kLeave) {
      return;
    }
    if (next.then == Then::kSleep) {
      SleepFor(next.wake - pg::SteadyNow());
    }
  }
}

void Run(Process* process) {
  the_process = process;
  SetUp(process);
  // Those that are registered first are called last: Detach() behind the end of the transaction,
  // and LastWords() before it.
  pg::Call([] { on_shmem_exit(AtExit, 0); });
  if (!process->Attach()) {
    return;
  }
  pg::Call([] { before_shmem_exit(BeforeExit, 0); });
  Loop(process);
  process->End();
}

}  // namespace

Next Process::Failed(const std::exception& error) {
  ReportAndRecover(activity_, error);
  return {Then::kSleep, pg::SteadyNow() + kPauseAfterError};
}

void Live(Process* (*make)(Datum), Datum argument) {
  pg::Entry([make, argument] { Run(make(argument)); });
  proc_exit(the_process->ExitCode());
}

}  // namespace ratchet::process
