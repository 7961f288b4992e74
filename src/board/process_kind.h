// The kinds of processes that we have. CONTRIBUTING.md says what a further one takes.
#pragma once

#include <cstdint>
#include <iterator>

namespace ratchet::board {

enum class ProcessKind : std::uint8_t { kLauncher, kScheduler, kWorker };

// How many there may be of a kind, and who has their places.
enum class OnePer : std::uint8_t {
  kServer,      // Board
  kDatabase,    // DatabaseEntry: of each database with the extension
  kWorkerSlot,  // WorkerSlot: ratchet.max_workers
};

struct ProcessTraits {
  // In pg_stat_activity it is "pg_ratchet NAME", and its entry point is ratchet_NAME_main.
  const char* name;
  OnePer one_per;
};

// In the order of ProcessKind.
inline constexpr ProcessTraits kProcessKinds[] = {
    {"launcher", OnePer::kServer},
    {"scheduler", OnePer::kDatabase},
    {"worker", OnePer::kWorkerSlot},
};
inline constexpr int kProcessKindCount = static_cast<int>(std::size(kProcessKinds));

constexpr const ProcessTraits& TraitsOf(ProcessKind kind) {
  return kProcessKinds[static_cast<int>(kind)];
}

// Of so many processes a server with so many databases and workers may have need.
constexpr int MostProcesses(int databases, int workers) {
  int most = 0;
  for (const ProcessTraits& traits : kProcessKinds) {
    most += traits.one_per == OnePer::kServer     ? 1
            : traits.one_per == OnePer::kDatabase ? databases
                                                  : workers;
  }
  return most;
}

}  // namespace ratchet::board
