#include "worker/start_watch.h"

#include "pg/guard.h"
#include "pg/last_words.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

#include <csignal>

namespace ratchet::worker {
namespace {

constexpr int kTick = 500;  // milliseconds
constexpr int kMostTicks = 3;

// Written by the signal handler.
volatile sig_atomic_t waiting_ticks = 0;

constexpr pg::LastWords kGivenUp{ERRCODE_LOCK_NOT_AVAILABLE, "a system catalog is locked", ""};

TimeoutId ticker = MAX_TIMEOUTS;

// lock_timeout would do, but belongs to the settings that the session is about to get. A slow start
// is no reason: only a wait counts, and ends by itself no other way.
extern "C" void AtTick() {
  waiting_ticks = MyProc != nullptr && MyProc->waitLock != nullptr ? waiting_ticks + 1 : 0;
  if (waiting_ticks >= kMostTicks) {
    pg::SayInstead(&kGivenUp);
    ProcDiePending = true;
    InterruptPending = true;
    SetLatch(MyLatch);
  }
}

}  // namespace

StartWatch::StartWatch() {
  pg::Call([] {
    ticker = RegisterTimeout(USER_TIMEOUT, AtTick);
    enable_timeout_every(ticker, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kTick), kTick);
  });
}

StartWatch::~StartWatch() { disable_timeout(ticker, false); }

}  // namespace ratchet::worker
