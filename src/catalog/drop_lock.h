// Keeps those who put something into a queue or a channel and who drops that apart, so that no task
// and no message is left of what is gone.
#pragma once

#include <cstdint>
#include <string>

namespace ratchet::catalog {

// For who enqueues or sends, until the transaction ends. Whoever else does so is not waited for.
// The caller looks afterwards whether the queue or channel is still there.
void LockQueueForTasks(std::int64_t queue_id);
void LockChannelForMessages(std::int64_t channel_id);

// For who drops it. Waits for transactions that have put something into it, and after some seconds
// raises 55P03: they may stay open for as long as others like.
void LockQueueForDrop(std::int64_t queue_id, const std::string& queue_name);
void LockChannelForDrop(std::int64_t channel_id, const std::string& channel_name);

}  // namespace ratchet::catalog
