// The place of ready work in a line.
#pragma once

#include <compare>
#include <cstdint>

namespace ratchet::policy {

// In the order in which it starts.
struct Turn {
  bool failing;
  std::int32_t priority;
  std::int64_t due;
  std::int64_t id;      // of the job
  std::int64_t run_id;  // of a waiting run; 0: an occurrence of the schedule
  friend auto operator<=>(const Turn&, const Turn&) = default;
};

}  // namespace ratchet::policy
