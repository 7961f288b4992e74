// Processes of ours are asked for here. The postmaster starts them.
#pragma once

#include <cstddef>
#include <memory>

#include "board/process_kind.h"
#include "pg/server.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace ratchet::process {

// "pg_ratchet scheduler": what pg_stat_activity says.
const char* TitleOf(board::ProcessKind kind);

// There is such a process as soon as the server accepts writes, and again a second after its end,
// unless its exit code was 0. While the library is preloaded.
void RegisterAtServerStart(board::ProcessKind kind);

// A process that was asked for, as long as somebody looks after it.
class Started {
 public:
  Started() = default;
  explicit Started(BackgroundWorkerHandle* handle) : handle_(handle) {}

  // False: it could not be asked for.
  explicit operator bool() const { return handle_ != nullptr; }
  // It has come to an end. Throws PgError.
  bool HasEnded() const;

 private:
  struct Free {
    void operator()(BackgroundWorkerHandle* handle) const { pfree(handle); }
  };
  std::unique_ptr<BackgroundWorkerHandle, Free> handle_;
};

// Asks for a process that is not started again when it ends. `extra` is up to BGW_EXTRALEN bytes
// for it. If none can be started now, that is told to the board. Throws PgError.
Started Start(board::ProcessKind kind, Datum argument, const void* extra = nullptr,
              std::size_t extra_size = 0);

}  // namespace ratchet::process
