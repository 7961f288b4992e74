// Definitions of queues as JSON: see job_document.h.
#pragma once

#include <vector>

#include "api/job_document.h"
#include "api/queue_access.h"

namespace ratchet::api {

// Those that the caller may manage, by name.
std::vector<Queue> QueuesOfCaller();

// A queue's keys with their values, in the order of the arguments: what identifies it, its handler,
// its owner, and the options that are not at their defaults.
JobMembers MembersOf(const Queue& queue, const JobColumns& columns);

// The definition that the element stands for: options that it does not give have their defaults.
Queue QueueOf(const JobElement& element, const JobColumns& columns);

}  // namespace ratchet::api
