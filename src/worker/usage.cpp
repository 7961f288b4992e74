#include "worker/usage.h"

#include <ctime>

extern "C" {
#include "executor/instrument.h"
}

namespace ratchet::worker {
namespace {

// A backend has one thread, for which the kernel need not add up.
std::int64_t ProcessCpuTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::int64_t{used.tv_sec} * 1'000'000 + used.tv_nsec / 1000;
}

}  // namespace

UsageMark MarkUsage() {
  return UsageMark{ProcessCpuTime(), pgWalUsage.wal_bytes, pgBufferUsage.shared_blks_read,
                   pgBufferUsage.shared_blks_hit};
}

void CountUsage(const UsageMark& since, board::RunCounters* counters) {
  const UsageMark now = MarkUsage();
  counters->cpu_time = now.cpu_time - since.cpu_time;
  counters->wal_bytes = static_cast<std::int64_t>(now.wal_bytes - since.wal_bytes);
  counters->blocks_read = now.blocks_read - since.blocks_read;
  counters->blocks_hit = now.blocks_hit - since.blocks_hit;
}

}  // namespace ratchet::worker
