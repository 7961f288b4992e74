// What ratchet.changes says of jobs and queues: each change of a definition is recorded in the
// transaction that makes it, as one of the current user.
#pragma once

#include <cstdint>
#include <vector>

#include "api/queue_access.h"
#include "catalog/job.h"

namespace ratchet::api {

// Null stands for none: as `old` of what is new, as `now` of what is dropped. Records nothing when
// no option differs.
void RecordChange(const catalog::JobDefinition* old, const catalog::JobDefinition* now);
void RecordChange(const Queue* old, const Queue* now);

// ratchet.adopt() has made these the library's own.
void RecordAdoption(const std::vector<std::int64_t>& job_ids);

}  // namespace ratchet::api
