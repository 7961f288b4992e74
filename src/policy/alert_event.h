// What alerts can be about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ratchet::policy {

enum class AlertEvent : std::uint8_t {
  // Of a run.
  kFailed,
  kCrashed,
  kTimedOut,
  kLate,         // it has not ended by its deadline, or not even begun
  kAtRisk,       // it will not have, as it looks
  kMissed,       // an occurrence was skipped
  kSlow,         // it took more than twice as long as 95 of 100 before it
  kFailedItems,  // some of its items failed
  kRecovered,    // it has succeeded after failures
  // Of a queue.
  kBacklog,  // a task has been ready for too long
  kDead,     // it has dead tasks
  // Of the server.
  kSenderDown,  // messages wait, and nobody delivers
  kShort,       // runs wait for workers
  kHorizon,     // somebody keeps old rows from being removed
};
constexpr int kAlertEvents = 14;

// The contract's spelling.
std::string_view Name(AlertEvent event);
std::optional<AlertEvent> AlertEventOf(std::string_view name);
// "failed, crashed, …"
std::string AlertEventNames();

constexpr bool IsOfQueue(AlertEvent event) {
  return event == AlertEvent::kBacklog || event == AlertEvent::kDead;
}
constexpr bool IsOfServer(AlertEvent event) { return event >= AlertEvent::kSenderDown; }
constexpr bool IsOfRun(AlertEvent event) { return event < AlertEvent::kBacklog; }

// Events of one class are the same thing going wrong: a job that crashes after it has failed is
// still failing.
std::string_view ClassOf(AlertEvent event);

// "critical", "error", "warning", "info".
std::string_view SeverityOf(AlertEvent event);

}  // namespace ratchet::policy
