// Queues by name, and who may do what with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/job.h"
#include "catalog/queue.h"

namespace ratchet::api {

// A queue is two rows: see catalog/queue.h.
struct Queue {
  catalog::JobDefinition job;
  catalog::QueueDefinition own;

  const std::string& name() const { return own.queue_name; }
  bool quarantined() const { return job.quarantined || own.quarantined; }
};

enum class QueueRight {
  kManage,   // its owner, members of that, and superusers; of a superuser's only superusers
  kEnqueue,  // they, and its producers
  kClaim,    // they, and its consumers; where tasks are requests, senders, too
};

// Of the current user.
bool HasRight(const Queue& queue, QueueRight right);
// Raises 42501.
void RequireRight(const Queue& queue, QueueRight right);

// nullopt when there is none.
std::optional<Queue> FindQueue(const std::string& queue_name);
std::optional<Queue> FindQueue(std::int64_t queue_id);

// The queue; raises 42704 when there is none, with the names of those that may be meant, and 42501
// for who may not do that.
Queue RequireQueue(const std::string& queue_name, QueueRight right);
[[noreturn]] void NoSuchQueue(const std::string& queue_name, QueueRight right);

// For who is about to change it, as LockJob(): its rows are held until the transaction ends.
struct QueuePlace {
  ItemPointerData job;
  ItemPointerData own;
};
std::optional<Queue> LockQueueIfAny(const std::string& queue_name, QueuePlace* place);
Queue LockQueue(const std::string& queue_name, QueuePlace* place);

// Raises 22023 where a lease is longer than a sender may take: whoever has a sender's password has
// the tasks that are requests for no longer than its messages.
void CheckLease(const Queue& queue, std::int64_t lease);

// As TellIfHeldBack() of a job.
void TellIfQueueHeldBack(const Queue& queue);

}  // namespace ratchet::api
