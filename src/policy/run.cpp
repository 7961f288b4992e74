#include "policy/run.h"

#include <cstddef>

namespace ratchet::policy {
namespace {

constexpr std::string_view kStatusNames[] = {"queued",   "running", "succeeded",
                                             "partial",  "failed",  "timed_out",
                                             "canceled", "skipped", "crashed"};
constexpr std::string_view kCauseNames[] = {"schedule",   "trigger",    "retry",
                                            "catchup",    "replay",     "backfill",
                                            "dependency", "foreground", "queue"};

template <std::size_t N>
std::size_t IndexOf(const std::string_view (&names)[N], std::string_view name,
                    std::size_t missing) {
  for (std::size_t i = 0; i < N; i++) {
    if (names[i] == name) {
      return i;
    }
  }
  return missing;
}

}  // namespace

std::string_view Name(RunStatus status) { return kStatusNames[static_cast<int>(status)]; }
std::string_view Name(Cause cause) { return kCauseNames[static_cast<int>(cause)]; }

RunStatus RunStatusOf(std::string_view name) {
  return static_cast<RunStatus>(
      IndexOf(kStatusNames, name, static_cast<std::size_t>(RunStatus::kFailed)));
}
Cause CauseOf(std::string_view name) {
  return static_cast<Cause>(IndexOf(kCauseNames, name, static_cast<std::size_t>(Cause::kSchedule)));
}

}  // namespace ratchet::policy
