// What ratchet.create_queue() does with a definition, for all who define or drop queues.
#pragma once

#include <optional>

#include "api/define_job.h"
#include "api/queue_access.h"

namespace ratchet::api {

struct DefinedQueue {
  std::optional<Queue> old;  // none: the queue is new
  Queue now;
  bool changed;  // always true for a new one
};

// Throws for a name that no queue may have.
void CheckQueueName(const std::string& name, const char* argument);

// Makes the queue, or redefines the one of that name: options that are not given have their
// defaults in `queue`. Checks everything, and raises what is wrong.
DefinedQueue DefineQueue(Queue queue, Given given, AnothersJob anothers_queue);

// Of one that is locked and held at `place`: what was changed in `queue` is checked and written.
// False when nothing was.
bool RedefineQueue(Queue* queue, const Queue& old, QueuePlace place,
                   const std::string& search_path);

// The queue is locked, the caller may manage it. Throws when it has tasks, unless `force` says that
// they go as well.
void DropQueue(const Queue& queue, QueuePlace place, bool force);

}  // namespace ratchet::api
