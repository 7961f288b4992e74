#include "catalog/session_patience.h"

#include "catalog/lock_blockers.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/lock_patience.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/wait_event.h"
}

namespace ratchet::catalog {
namespace {

// Microseconds. Between the first look and the end are two more: a session is canceled by one, and
// terminated by another.
constexpr std::int64_t kBeforeFirstLook = 1'000'000;
constexpr std::int64_t kBetweenLooks = 500'000;
constexpr std::int64_t kLongest = 3'000'000;
constexpr long kBetweenTries = 5;  // milliseconds

void Pause() {
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kBetweenTries,
                  PG_WAIT_LOCK | LOCKTAG_RELATION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

bool WaitForOthers(const char* table, Oid oid, LOCKMODE mode) {
  const policy::SteadyTime begun = pg::SteadyNow();
  policy::SteadyTime look_at = begun + kBeforeFirstLook;
  LockBlockers blockers;
  for (policy::SteadyTime now = begun; now - begun < kLongest; now = pg::SteadyNow()) {
    if (pg::Call([=] {
          Pause();
          return ConditionalLockRelationOid(oid, mode);
        })) {
      return true;
    }
    if (now >= look_at) {
      look_at = now + kBetweenLooks;
      blockers.MakeWay(WaitForTable(table, mode), now);
    }
  }
  return false;
}

// Whoever has a time-out of its own waits as long as that says.
bool BePatient(const char* table, Oid oid, LOCKMODE mode) {
  return LockTimeout == 0 && pg::Entry([=] { return WaitForOthers(table, oid, mode); });
}

}  // namespace

void InstallSessionPatience() { pg::SetLockPatience(BePatient); }

}  // namespace ratchet::catalog
