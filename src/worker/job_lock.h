// The advisory lock that shows in pg_locks that a job runs.
//
// The board keeps runs of one job apart; the lock makes it visible, and is a second bolt. Its class
// is the extension's own (see kLockClass): classes 1 and 2 are those of pg_advisory_lock(), so that
// no SQL function can take or release it.
#pragma once

#include <cstdint>

namespace ratchet::worker {

// pg_locks: locktype = 'advisory', objid = job_id (low 32 bits), classid = kLockKey (with the high
// ones of job_id, XOR), objsubid = kLockClass
constexpr std::uint32_t kLockKey = 0x72617463;
constexpr std::uint16_t kLockClass = 3;

// For use inside pg::Call and inside a transaction, because it may wait. It survives that
// transaction.
void TakeJobLock(std::int64_t job_id, bool exclusive);
// Nothing when none is held. Throws PgError.
void ReleaseJobLock();

// What the transaction callback has to do about it; neither raises an error that could be avoided.
void KeepJobLockAtCommit();
void KeepJobLockAtAbort();

}  // namespace ratchet::worker
