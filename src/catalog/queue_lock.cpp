#include "catalog/queue_lock.h"

#include "pg/clock.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/wait_event.h"
}

namespace ratchet::catalog {
namespace {

// See job_name_lock.cpp for the other classes.
constexpr uint16 kQueueLockClass = 7;

// Microseconds.
constexpr std::int64_t kLongestWait = 3'000'000;
constexpr long kBetweenTries = 10;  // milliseconds

LOCKTAG TagOf(std::int64_t queue_id) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(queue_id >> 32),
                       static_cast<std::uint32_t>(queue_id), kQueueLockClass);
  return tag;
}

}  // namespace

void LockQueueForTasks(std::int64_t queue_id) {
  const LOCKTAG tag = TagOf(queue_id);
  pg::Call([&tag] { LockAcquire(&tag, ShareLock, false, false); });
}

void LockQueueForDrop(std::int64_t queue_id, const std::string& queue_name) {
  const LOCKTAG tag = TagOf(queue_id);
  const policy::SteadyTime begun = pg::SteadyNow();
  while (pg::Call([&tag] { return LockAcquire(&tag, ExclusiveLock, false, true); }) ==
         LOCKACQUIRE_NOT_AVAIL) {
    if (pg::SteadyNow() - begun > kLongestWait) {
      throw pg::Error(ERRCODE_LOCK_NOT_AVAILABLE,
                      "queue \"" + queue_name + "\" is being used by other transactions",
                      "Drop it when they have ended; pg_locks shows who they are (advisory locks "
                      "with objsubid 7).",
                      "They have enqueued tasks, and have neither committed nor rolled back.");
    }
    pg::Call([] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kBetweenTries,
                      PG_WAIT_LOCK | LOCKTAG_ADVISORY);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
  }
}

}  // namespace ratchet::catalog
