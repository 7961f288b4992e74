#include "process/start.h"

#include <cstring>

#include "board/worker_grants.h"
#include "pg/clock.h"
#include "pg/guard.h"

namespace ratchet::process {
namespace {

// To be started again: the postmaster waits for so many seconds.
constexpr int kRestartTime = 1;

BackgroundWorker Registration(board::ProcessKind kind) {
  BackgroundWorker process{};
  process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  process.bgw_start_time = BgWorkerStart_RecoveryFinished;
  process.bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(process.bgw_name, TitleOf(kind), sizeof(process.bgw_name));
  strlcpy(process.bgw_type, TitleOf(kind), sizeof(process.bgw_type));
  strlcpy(process.bgw_library_name, "pg_ratchet", sizeof(process.bgw_library_name));
  snprintf(process.bgw_function_name, sizeof(process.bgw_function_name), "ratchet_%s_main",
           board::TraitsOf(kind).name);
  return process;
}

}  // namespace

const char* TitleOf(board::ProcessKind kind) {
  static char title[BGW_MAXLEN];
  snprintf(title, sizeof(title), "pg_ratchet %s", board::TraitsOf(kind).name);
  return title;
}

void RegisterAtServerStart(board::ProcessKind kind) {
  BackgroundWorker process = Registration(kind);
  process.bgw_restart_time = kRestartTime;
  RegisterBackgroundWorker(&process);
}

bool Started::HasEnded() const {
  pid_t pid = 0;
  return pg::Call([&] { return GetBackgroundWorkerPid(handle_.get(), &pid); }) == BGWH_STOPPED;
}

Started Start(board::ProcessKind kind, Datum argument, const void* extra, std::size_t extra_size) {
  BackgroundWorker process = Registration(kind);
  process.bgw_main_arg = argument;
  process.bgw_notify_pid = MyProcPid;
  if (extra_size > 0) {
    std::memcpy(process.bgw_extra, extra, extra_size);
  }
  BackgroundWorkerHandle* handle = pg::Call([&process]() -> BackgroundWorkerHandle* {
    BackgroundWorkerHandle* registered = nullptr;
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    const bool found_room = RegisterDynamicBackgroundWorker(&process, &registered);
    MemoryContextSwitchTo(old);
    return found_room ? registered : nullptr;
  });
  if (handle == nullptr) {
    board::NoteProcessShortage(pg::SteadyNow());
  }
  return Started(handle);
}

}  // namespace ratchet::process
