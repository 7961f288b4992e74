// The frame of our processes: what all of them do alike is done here, once. A kind of process is a
// class derived from Process, and an entry point that calls Main.
//
//   postmaster, or another process of ours       start.h
//     │
//   entry point                                  Main: makes the object, which is never destroyed
//     │
//   signals             SIGHUP reads the settings again, SIGTERM ends the process, SIGINT is
//     │                 nobody's. SetSignals() may say something else.
//   Attach()  ────────  not wanted ────────────────────────────────────────────────────┐
//     │       it has its place on the board, and is connected                          │
//     │                                                                                │
//     ├──▶ interrupts, settings ──▶ Turn() ─┬─ what to do next: at once, or when ──┐   │
//     │                                     └─ throws ──▶ Failed()                 │   │
//     │◀──────────────────────────── sleeps until then, or its latch is set ◀──────┘   │
//     │                                                                                │
//   End()               the turn has said that it leaves                               │
//     │                                                                                │
//   exit  ◀────────────────────────────────────────────────────────────────────────────┘
//     LastWords()       only if the process is ended within its loop: by SIGTERM, a FATAL error
//     Detach()          in any case: its place on the board is given back
//
// At the exit no destructor runs, whatever has led to it.
#pragma once

#include <cstdint>
#include <exception>

#include "board/process_kind.h"
#include "pg/server.h"
#include "policy/steady_time.h"

namespace ratchet::process {

enum class Then : std::uint8_t {
  kGoOn,   // with the next turn, at once
  kSleep,  // until `wake`, unless the latch is set before
  kLeave,
};

struct Next {
  Then then;
  policy::SteadyTime wake{};
};

class Process {
 public:
  // `activity`: what it does in its turns, in the message that it has failed.
  Process(board::ProcessKind kind, const char* activity) : kind_(kind), activity_(activity) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  virtual ~Process() = default;

  // Installs other signal handlers than those above. Signals are blocked.
  virtual void SetSignals() {}

  // Takes the place of this process on the board, and connects it. False: it is not wanted.
  virtual bool Attach() = 0;

  // Does what there is to do. `reloaded`: the settings have been read again.
  virtual Next Turn(bool reloaded) = 0;

  // The turn has thrown this. Whoever overrides it may rethrow: then the process ends with that
  // error.
  virtual Next Failed(const std::exception& error);

  // The orderly end.
  virtual void End() {}

  // In an exit callback that comes before those of the server: transactions are possible. It waits
  // for nobody.
  virtual void LastWords() {}

  // In an exit callback, in whatever state the process is: its transaction and locks are gone, and
  // nothing may be raised or allocated. Also called if Attach() has failed.
  virtual void Detach() noexcept = 0;

  // 0: it is not started again.
  virtual int ExitCode() const { return 0; }

  board::ProcessKind kind() const { return kind_; }

 private:
  const board::ProcessKind kind_;
  const char* const activity_;
};

// Lives the life of a process. `make` is called within pg::Entry.
[[noreturn]] void Live(Process* (*make)(Datum), Datum argument);

// For the entry point of a kind, which the argument of its process is given to.
template <typename Kind>
[[noreturn]] void Main(Datum argument) {
  Live([](Datum of_process) -> Process* { return new Kind(of_process); }, argument);
}

}  // namespace ratchet::process
