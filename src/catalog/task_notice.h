// Tells the scheduler of this database, when the transaction has ended, which rows of ratchet.task
// it is to read. What was noted in a savepoint that is rolled back only makes it look in vain.
#pragma once

#include <cstdint>

#include "pg/server.h"

namespace ratchet::catalog {

// The row is new.
void NoteTaskEnqueued(std::int64_t queue_id, std::int64_t task_id);
// It was changed or deleted, or one that the scheduler knows is to come back: told at the commit.
void NoteTaskTouched(std::int64_t queue_id, std::int64_t task_id);
// The scheduler has granted it to this session: told when the transaction ends, either way. Such a
// transaction cannot be prepared.
void NoteTaskClaimed(std::int64_t queue_id, std::int64_t task_id);

// Registers the transaction callback. Called by _PG_init.
void InstallTaskNotice();

}  // namespace ratchet::catalog
