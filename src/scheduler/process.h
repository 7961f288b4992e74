// What the launcher and the schedulers have in common as processes.
#pragma once

#include <cstdint>
#include <exception>

#include "pg/server.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace ratchet::scheduler {

// Signal handlers of a process that waits on its latch; signals are let through afterwards.
void InstallSignalHandlers();

// Serves interrupts and reads the settings again when asked to; true when it did the latter.
bool ServeInterrupts();

// Sleeps for so many microseconds, to the fraction of a millisecond, or until the latch is set.
void SleepFor(std::int64_t micros);

// Asks the postmaster to start a process of ours that is connected to a database and never
// restarted. `function` is its entry point, `extra` up to BGW_EXTRALEN bytes for it. Null when it
// cannot be started now; else a handle, which the caller frees with pfree().
BackgroundWorkerHandle* StartProcess(const char* name, const char* function, Datum argument,
                                     const void* extra, std::size_t extra_size);

// Ends the transaction that an error has left.
void Recover() noexcept;
// What a process of ours does with an error that it survives: tells the log, ends the transaction.
void ReportAndRecover(const char* activity, const std::exception& error) noexcept;

}  // namespace ratchet::scheduler
