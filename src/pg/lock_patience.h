// A session that wants a lock on one of the extension's tables, and does not get it at once.
#pragma once

#include "pg/server.h"

extern "C" {
#include "storage/lock.h"
}

namespace ratchet::pg {

// Returns true when it has taken the lock, false when there is nothing left but to stand in the
// queue for it. Called where errors are raised and exceptions are not thrown.
using LockPatience = bool (*)(const char* table, Oid oid, LOCKMODE mode);

// Null: every wait is one in the queue.
void SetLockPatience(LockPatience patience);

// The lock on the table, unless it must be waited for in the queue.
bool TakeLockPatiently(const char* table, Oid oid, LOCKMODE mode);

}  // namespace ratchet::pg
