// The advisory lock that shows in pg_locks that a job runs.
//
// The board keeps runs of one job apart; the lock makes it visible, and is a second bolt. Its class
// is the extension's own (see kLockClass): classes 1 and 2 are those of pg_advisory_lock(), so that
// no SQL function can take or release it.
#pragma once

#include "pg/server.h"

extern "C" {
#include "storage/lock.h"
}

#include <cstdint>

namespace ratchet::worker {

// pg_locks: locktype = 'advisory', objid = job_id (low 32 bits), classid = kLockKey (with the high
// ones of job_id and the OID of ratchet.job, XOR: a run of an extension that was dropped keeps none
// of the next one waiting), objsubid = kLockClass
constexpr std::uint32_t kLockKey = 0x72617463;
constexpr std::uint16_t kLockClass = 3;

class JobLock {
 public:
  JobLock() = default;
  JobLock(const JobLock&) = delete;
  JobLock& operator=(const JobLock&) = delete;

  // For use inside pg::Call and inside a transaction, because it may wait. It survives that
  // transaction.
  void Take(std::int64_t job_id, Oid incarnation, bool exclusive);
  // Nothing when it is not held. Throws PgError.
  void Release();

  // What the transaction callback has to do about it; neither raises an error that could be
  // avoided.
  void KeepAtCommit();
  void KeepAtAbort();
  // The process exits, perhaps outside of a transaction.
  void ReleaseAtExit();

 private:
  LOCKTAG Tag(LOCKMETHODID method) const;
  void ReleaseStandIn();

  bool wanted_ = false;
  LOCKMODE mode_ = NoLock;
  std::int64_t job_id_ = 0;
  Oid incarnation_ = InvalidOid;
  bool held_ = false;
  bool stand_in_held_ = false;
};

}  // namespace ratchet::worker
