#include "policy/idle_pause.h"

namespace ratchet::policy {

std::int64_t IdlePause(std::int64_t empty_runs) {
  if (empty_runs <= 0) {
    return 0;
  }
  std::int64_t pause = kShortestIdlePause;
  for (std::int64_t i = 1; i < empty_runs && pause < kLongestIdlePause; i++) {
    pause *= 2;
  }
  return pause < kLongestIdlePause ? pause : kLongestIdlePause;
}

}  // namespace ratchet::policy
