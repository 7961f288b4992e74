// The queues that a session has used, as they are defined: who enqueues a task with each of its
// transactions does not read two rows of the catalog for it each time.
#pragma once

#include <memory>
#include <string>

#include "api/queue_access.h"

namespace ratchet::api {

// As FindQueue(); null when there is none. Whatever others have committed before the call is seen,
// and so is what this transaction has changed or rolled back. What it says of rights is up to the
// caller.
std::shared_ptr<const Queue> KnownQueue(const std::string& queue_name);

}  // namespace ratchet::api
