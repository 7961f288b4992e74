#include "scheduler/bounded_waits.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/lock_patience.h"

extern "C" {
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/timeout.h"
}

#include <cerrno>
#include <csignal>

namespace ratchet::scheduler {
namespace {

// Written by the signal handler while the process waits in the queue of the lock: what it waits for
// is its own to read there, and is forgotten by the server when the error is raised.
volatile sig_atomic_t has_waited = 0;
LOCKTAG waited_for;
LOCKMODE waited_mode;

void OnInterrupt(SIGNAL_ARGS) {
  const int saved_errno = errno;
  if (get_timeout_indicator(LOCK_TIMEOUT, false)) {
    const LOCK* lock = MyProc->waitLock;
    if (lock != nullptr) {
      waited_for = lock->tag;
      waited_mode = MyProc->waitLockMode;
      has_waited = 1;
    }
    pg::CancelStatement(RATCHET_SIGNAL);
  }
  errno = saved_errno;
}

}  // namespace

void BoundWaits() {
  pg::Call([] {
    pg::SetLockPatience(nullptr);
    pqsignal(SIGINT, OnInterrupt);
    SetConfigOption("lock_timeout", kLongestWait, PGC_SUSET, PGC_S_OVERRIDE);
  });
}

std::optional<catalog::LockWait> TakeEndedWait() {
  if (has_waited == 0) {
    return std::nullopt;
  }
  has_waited = 0;
  return catalog::LockWait{waited_for, waited_mode};
}

void ForgetLateTimeout() {
  QueryCancelPending = false;
  has_waited = 0;
}

}  // namespace ratchet::scheduler
