// What a run costs, as this process and its parallel workers measure it.
#pragma once

#include <cstdint>

#include "board/board.h"

namespace ratchet::worker {

struct UsageMark {
  std::int64_t cpu_time;  // microseconds
  std::uint64_t wal_bytes;
  std::int64_t blocks_read;
  std::int64_t blocks_hit;
};

UsageMark MarkUsage();
// Fills in the counters that are differences to the mark.
void CountUsage(const UsageMark& since, board::RunCounters* counters);

}  // namespace ratchet::worker
