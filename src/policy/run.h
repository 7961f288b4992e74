// The words for a run: its statuses, causes, and what became of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace ratchet::policy {

//            claim               end
//   queued ─────────▶ running ─────────▶ succeeded | partial | failed | timed_out | canceled |
//   crashed
//      └───────────────────────────────▶ skipped | canceled
//
// A run that ended never changes again. Where a live run is on its way, board/state.h says.
enum class RunStatus : std::uint8_t {
  kQueued,
  kRunning,
  kSucceeded,
  kPartial,
  kFailed,
  kTimedOut,
  kCanceled,
  kSkipped,
  kCrashed,
};

enum class Cause : std::uint8_t {
  kSchedule,
  kTrigger,
  kRetry,
  kCatchup,
  kReplay,
  kBackfill,
  kDependency,
  kForeground,
  kQueue,  // a stretch of work on the tasks of a queue
};

// The contract's spelling.
std::string_view Name(RunStatus status);
std::string_view Name(Cause cause);

// kFailed and kSchedule for words that are not one.
RunStatus RunStatusOf(std::string_view name);
Cause CauseOf(std::string_view name);

constexpr bool HasEnded(RunStatus status) {
  return status != RunStatus::kQueued && status != RunStatus::kRunning;
}
// Counts towards consecutive failures.
constexpr bool IsFailure(RunStatus status) {
  return status == RunStatus::kFailed || status == RunStatus::kTimedOut ||
         status == RunStatus::kCrashed;
}

}  // namespace ratchet::policy
