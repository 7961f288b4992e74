#include "catalog/drop_lock.h"

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
struct Kind {
  uint16 lock_class;
  const char* word;
  const char* what_they_did;
};
constexpr Kind kQueue{7, "queue", "enqueued tasks"};
constexpr Kind kChannel{8, "channel", "sent messages"};

// Microseconds.
constexpr std::int64_t kLongestWait = 3'000'000;
constexpr long kBetweenTries = 10;  // milliseconds

LOCKTAG TagOf(const Kind& kind, std::int64_t id) {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(id >> 32),
                       static_cast<std::uint32_t>(id), kind.lock_class);
  return tag;
}

void LockForUse(const Kind& kind, std::int64_t id) {
  const LOCKTAG tag = TagOf(kind, id);
  pg::Call([&tag] { LockAcquire(&tag, ShareLock, false, false); });
}

void LockForDrop(const Kind& kind, std::int64_t id, const std::string& name) {
  const LOCKTAG tag = TagOf(kind, id);
  const policy::SteadyTime begun = pg::SteadyNow();
  while (pg::Call([&tag] { return LockAcquire(&tag, ExclusiveLock, false, true); }) ==
         LOCKACQUIRE_NOT_AVAIL) {
    if (pg::SteadyNow() - begun > kLongestWait) {
      throw pg::Error(
          ERRCODE_LOCK_NOT_AVAILABLE,
          std::string(kind.word) + " \"" + name + "\" is being used by other transactions",
          "Drop it when they have ended; pg_locks shows who they are (advisory locks "
          "with objsubid " +
              std::to_string(kind.lock_class) + ").",
          std::string("They have ") + kind.what_they_did +
              ", and have neither committed nor rolled back.");
    }
    pg::Call([] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kBetweenTries,
                      PG_WAIT_LOCK | LOCKTAG_ADVISORY);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
  }
}

}  // namespace

void LockQueueForTasks(std::int64_t queue_id) { LockForUse(kQueue, queue_id); }

void LockChannelForMessages(std::int64_t channel_id) { LockForUse(kChannel, channel_id); }

void LockQueueForDrop(std::int64_t queue_id, const std::string& queue_name) {
  LockForDrop(kQueue, queue_id, queue_name);
}

void LockChannelForDrop(std::int64_t channel_id, const std::string& channel_name) {
  LockForDrop(kChannel, channel_id, channel_name);
}

}  // namespace ratchet::catalog
