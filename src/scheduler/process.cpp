#include "scheduler/process.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/transaction.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"
}

#include <csignal>

namespace ratchet::scheduler {
namespace {

// The server sets the latch at each timeout, and more is not wanted.
void DoNothing() {}

void Ignore(SIGNAL_ARGS) { static_cast<void>(RATCHET_SIGNAL); }

}  // namespace

void InstallSignalHandlers() {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  // A cancel is meant for a run, and there is none here.
  pqsignal(SIGINT, Ignore);
  BackgroundWorkerUnblockSignals();
}

bool ServeInterrupts() {
  return pg::Call([] {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending == 0) {
      return false;
    }
    ConfigReloadPending = 0;
    ProcessConfigFile(PGC_SIGHUP);
    return true;
  });
}

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

BackgroundWorkerHandle* StartProcess(const char* name, const char* function, Datum argument,
                                     const void* extra, std::size_t extra_size) {
  BackgroundWorker process{};
  process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  process.bgw_start_time = BgWorkerStart_RecoveryFinished;
  process.bgw_restart_time = BGW_NEVER_RESTART;
  process.bgw_main_arg = argument;
  process.bgw_notify_pid = MyProcPid;
  strlcpy(process.bgw_name, name, sizeof(process.bgw_name));
  strlcpy(process.bgw_type, name, sizeof(process.bgw_type));
  strlcpy(process.bgw_library_name, "pg_ratchet", sizeof(process.bgw_library_name));
  strlcpy(process.bgw_function_name, function, sizeof(process.bgw_function_name));
  if (extra_size > 0) {
    std::memcpy(process.bgw_extra, extra, extra_size);
  }
  return pg::Call([&process]() -> BackgroundWorkerHandle* {
    BackgroundWorkerHandle* handle = nullptr;
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    const bool registered = RegisterDynamicBackgroundWorker(&process, &handle);
    MemoryContextSwitchTo(old);
    return registered ? handle : nullptr;
  });
}

void Recover() noexcept {
  LWLockReleaseAll();
  pgstat_report_wait_end();
  if (IsTransactionState() || IsAbortedTransactionBlockState()) {
    pg::AbortOpenTransaction();
  }
}

void ReportAndRecover(const char* activity, const std::exception& error) noexcept {
  const auto* server_error = dynamic_cast<const pg::PgError*>(&error);
  const auto* own_error = dynamic_cast<const pg::Error*>(&error);
  const int code = server_error != nullptr ? server_error->sqlstate()
                   : own_error != nullptr  ? own_error->sqlstate()
                                           : ERRCODE_INTERNAL_ERROR;
  Recover();
  ereport(LOG, (errcode(code), errmsg("pg_ratchet: %s failed: %s", activity, error.what()),
                server_error != nullptr && server_error->data().context != nullptr
                    ? errdetail_internal("%s", server_error->data().context)
                    : 0));
}

}  // namespace ratchet::scheduler
