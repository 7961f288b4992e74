#include "worker/job_lock.h"

#include "pg/compat.h"
#include "pg/guard.h"

// The lock is held by the session under the method of ordinary locks, not of user locks. So neither
// pg_advisory_unlock_all() nor DISCARD ALL in a job can release it, and COMMIT in a procedure keeps
// it. Only an abort drops it: a session lock under the method of user locks, which survives that,
// stands in until the next commit.
namespace ratchet::worker {

LOCKTAG JobLock::Tag(LOCKMETHODID method) const {
  LOCKTAG tag{};
  const auto high = static_cast<std::uint32_t>(job_id_ >> 32);
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, kLockKey ^ high ^ incarnation_,
                       static_cast<std::uint32_t>(job_id_), kLockClass);
  tag.locktag_lockmethodid = static_cast<uint8>(method);
  return tag;
}

// The job can release the stand-in.
void JobLock::ReleaseStandIn() {
  if (!stand_in_held_) {
    return;
  }
  stand_in_held_ = false;
  const LOCKTAG tag = Tag(USER_LOCKMETHOD);
  if (pg::HoldsLock(tag, mode_)) {
    LockRelease(&tag, mode_, true);
  }
}

void JobLock::Take(std::int64_t job_id, Oid incarnation, bool exclusive) {
  wanted_ = true;
  mode_ = exclusive ? ExclusiveLock : ShareLock;
  job_id_ = job_id;
  incarnation_ = incarnation;
  const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
  LockAcquire(&tag, mode_, true, false);
  held_ = true;
}

void JobLock::Release() {
  if (!wanted_) {
    return;
  }
  wanted_ = false;
  pg::Call([this] {
    if (held_) {
      held_ = false;
      const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
      LockRelease(&tag, mode_, true);
    }
    ReleaseStandIn();
  });
}

void JobLock::KeepAtCommit() {
  if (!wanted_ || held_) {
    return;
  }
  const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
  if (pg::TakeSessionLockIfFree(tag, mode_)) {
    held_ = true;
    ReleaseStandIn();
  }
}

void JobLock::KeepAtAbort() {
  if (!wanted_ || !held_) {
    return;
  }
  held_ = false;
  const LOCKTAG tag = Tag(USER_LOCKMETHOD);
  stand_in_held_ = pg::TakeSessionLockIfFree(tag, mode_);
}

// A session lock of the ordinary method is released by aborts only.
void JobLock::ReleaseAtExit() {
  wanted_ = false;
  if (held_) {
    held_ = false;
    const LOCKTAG tag = Tag(DEFAULT_LOCKMETHOD);
    LockRelease(&tag, mode_, true);
  }
}

}  // namespace ratchet::worker
