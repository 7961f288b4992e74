// Keeps those who enqueue and who drops a queue apart, so that no task is left of a queue that is
// gone.
#pragma once

#include <cstdint>
#include <string>

namespace ratchet::catalog {

// For who enqueues, until the transaction ends. Whoever else does so is not waited for. The caller
// looks afterwards whether the queue is still there.
void LockQueueForTasks(std::int64_t queue_id);

// For who drops it. Waits for transactions that have enqueued, and after some seconds raises 55P03:
// they may stay open for as long as others like.
void LockQueueForDrop(std::int64_t queue_id, const std::string& queue_name);

}  // namespace ratchet::catalog
