// Functions that people call do not wait for who is in the way of everybody either.
#pragma once

namespace ratchet::catalog {

// Called by _PG_init. From then on a session that does not get a lock on one of the extension's
// tables within a second deals with who has it (catalog/lock_blockers.h). It stands in the queue of
// the lock, as for any table, after some more: behind superusers.
void InstallSessionPatience();

}  // namespace ratchet::catalog
