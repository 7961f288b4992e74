#include "worker/job_lock.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/lock.h"
}

namespace ratchet::worker {
namespace {

// The lock is held by the session under the method of ordinary locks, not of user locks. So neither
// pg_advisory_unlock_all() nor DISCARD ALL in a job can release it, and COMMIT in a procedure keeps
// it. Only an abort drops it: a session lock under the method of user locks, which survives that,
// stands in until the next commit.
struct JobLock {
  bool wanted;
  LOCKMODE mode;
  std::int64_t job;
  bool held;
  bool stand_in_held;
};
JobLock job_lock{};

LOCKTAG Tag(LOCKMETHODID method) {
  LOCKTAG tag{};
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, kLockKey ^ static_cast<std::uint32_t>(job_lock.job >> 32),
                       static_cast<std::uint32_t>(job_lock.job), kLockClass);
  tag.locktag_lockmethodid = static_cast<uint8>(method);
  return tag;
}

// The job can release the stand-in.
void ReleaseStandIn() {
  if (!job_lock.stand_in_held) {
    return;
  }
  job_lock.stand_in_held = false;
  const LOCKTAG tag = Tag(USER_LOCKMETHOD);
  if (pg::HoldsLock(tag, job_lock.mode)) {
    LockRelease(&tag, job_lock.mode, true);
  }
}

// A session lock of the ordinary method is released by aborts only, and a process may exit outside
// of a transaction.
void ReleaseAtExit(int /*code*/, Datum /*argument*/) {
  job_lock.wanted = false;
  if (job_lock.held) {
    job_lock.held = false;
    const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
    LockRelease(&tag, job_lock.mode, true);
  }
}

}  // namespace

void TakeJobLock(std::int64_t job_id, bool exclusive) {
  static bool at_exit = false;
  if (!at_exit) {
    before_shmem_exit(ReleaseAtExit, 0);
    at_exit = true;
  }
  job_lock = {true, exclusive ? ExclusiveLock : ShareLock, job_id, false, false};
  const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
  LockAcquire(&tag, job_lock.mode, true, false);
  job_lock.held = true;
}

void ReleaseJobLock() {
  if (!job_lock.wanted) {
    return;
  }
  job_lock.wanted = false;
  pg::Call([] {
    if (job_lock.held) {
      job_lock.held = false;
      const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
      LockRelease(&tag, job_lock.mode, true);
    }
    ReleaseStandIn();
  });
}

void KeepJobLockAtCommit() {
  if (!job_lock.wanted || job_lock.held) {
    return;
  }
  const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
  if (pg::TakeSessionLockIfFree(tag, job_lock.mode)) {
    job_lock.held = true;
    ReleaseStandIn();
  }
}

void KeepJobLockAtAbort() {
  if (!job_lock.wanted || !job_lock.held) {
    return;
  }
  job_lock.held = false;
  const LOCKTAG tag = Tag(USER_LOCKMETHOD);
  job_lock.stand_in_held = pg::TakeSessionLockIfFree(tag, job_lock.mode);
}

}  // namespace ratchet::worker
