#include "catalog/job.h"
#include "pg/guard.h"

extern "C" {
#include "common/hashfn.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
}

namespace ratchet::catalog {
namespace {

// Classes of advisory locks: SQL's functions use 1 and 2, the lock of a job's run 3.
constexpr uint16 kNameLockClass = 4;
constexpr uint16 kDependencyLockClass = 5;

// A transaction that schedules thousands of jobs must not fill the lock table of the whole server.
// Beyond this many names it goes without locks: it then meets another transaction at the row of the
// job, for which it waits as well, or gets an error from the unique index when both make a job of
// the same name.
constexpr int kMostLocks = 500;

bool MayLockOneMore() {
  static TransactionId transaction = InvalidTransactionId;
  static int locks = 0;
  const TransactionId current = GetTopTransactionId();
  if (transaction != current) {
    transaction = current;
    locks = 0;
  }
  return ++locks <= kMostLocks;
}

}  // namespace

void LockJobName(const std::string& job_name) {
  pg::Call([&job_name] {
    // The caller is about to write, so it needs a transaction id anyway.
    if (!MayLockOneMore()) {
      return;
    }
    const uint32 hash = hash_bytes(reinterpret_cast<const unsigned char*>(job_name.data()),
                                   static_cast<int>(job_name.size()));
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, hash, 0, kNameLockClass);
    LockAcquire(&tag, ExclusiveLock, false, false);
  });
}

void LockDependencies() {
  pg::Call([] {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, kDependencyLockClass);
    LockAcquire(&tag, ExclusiveLock, false, false);
  });
}

}  // namespace ratchet::catalog
