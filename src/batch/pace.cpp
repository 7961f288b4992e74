#include "batch/pace.h"

#include <algorithm>

#include "board/run_board.h"
#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "access/xlog.h"
#include "catalog/catalog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace ratchet::batch {
namespace {

constexpr std::int64_t kLongestWait = 100'000;  // between two looks, microseconds
constexpr std::size_t kMostCommitted = 4096;

void Wait(std::int64_t micros) {
  pg::Call([micros] {
    const auto timeout = static_cast<long>((micros + 999) / 1000);
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

// How far the slowest connected standby has applied; invalid when there is none.
XLogRecPtr SlowestStandby() {
  XLogRecPtr slowest = InvalidXLogRecPtr;
  for (int i = 0; i < max_wal_senders; i++) {
    WalSnd* sender = &WalSndCtl->walsnds[i];
    SpinLockAcquire(&sender->mutex);
    const bool counts =
        sender->pid != 0 && !XLogRecPtrIsInvalid(sender->apply) &&
        (sender->state == WALSNDSTATE_STREAMING || sender->state == WALSNDSTATE_CATCHUP);
    const XLogRecPtr applied = sender->apply;
    SpinLockRelease(&sender->mutex);
    if (counts && (XLogRecPtrIsInvalid(slowest) || applied < slowest)) {
      slowest = applied;
    }
  }
  return slowest;
}

}  // namespace

void Sleep(int slot, board::RunWait why, std::int64_t micros) {
  board::SetWait(slot, why);
  const TimestampTz until = GetCurrentTimestamp() + micros;
  for (TimestampTz now = GetCurrentTimestamp(); now < until; now = GetCurrentTimestamp()) {
    Wait(std::min(until - now, 10 * kLongestWait));
  }
  board::SetWait(slot, board::RunWait::kNothing);
}

double Pace::PauseRatio() const {
  return std::min(batch_.pause_ratio >= 0 ? batch_.pause_ratio : pg::settings.pause_ratio, 0.99);
}

std::int64_t Pace::MaxLag() const {
  return batch_.max_replication_lag >= 0 ? batch_.max_replication_lag
                                         : std::int64_t{pg::settings.max_replication_lag} * 1000;
}

void Pace::Rest(std::int64_t busy) {
  if (const std::int64_t limit = MaxLag(); limit > 0) {
    WaitForStandbys(limit);
  } else {
    committed_.clear();
  }
  if (const double ratio = PauseRatio(); ratio > 0) {
    Sleep(slot_, board::RunWait::kPause,
          static_cast<std::int64_t>(static_cast<double>(busy) * ratio / (1 - ratio)));
  }
}

// The age of the oldest of our commits that some standby has not applied: it grows while a standby
// stands still, which its own measure of the lag does not.
std::int64_t Pace::Lag() {
  const XLogRecPtr applied = SlowestStandby();
  if (XLogRecPtrIsInvalid(applied)) {
    committed_.clear();
    return 0;
  }
  while (!committed_.empty() && committed_.front().end <= applied) {
    committed_.pop_front();
  }
  return committed_.empty() ? 0 : GetCurrentTimestamp() - committed_.front().at;
}

void Pace::WaitForStandbys(std::int64_t limit) {
  if (committed_.size() < kMostCommitted &&
      (committed_.empty() || committed_.back().end < XactLastCommitEnd)) {
    committed_.push_back({XactLastCommitEnd, GetCurrentTimestamp()});
  }
  while (Lag() > limit) {
    Sleep(slot_, board::RunWait::kReplication,
          std::clamp<std::int64_t>(limit / 4, 1000, kLongestWait));
  }
}

std::vector<VirtualTransactionId> WritersOf(const std::vector<Oid>& tables) {
  std::vector<VirtualTransactionId> writers;
  for (const Oid table : tables) {
    VirtualTransactionId* found = nullptr;
    int count = 0;
    pg::Call([&] {
      LOCKTAG tag;
      SET_LOCKTAG_RELATION(tag, IsSharedRelation(table) ? InvalidOid : MyDatabaseId, table);
      found = GetLockConflicts(&tag, ShareLock, &count);
    });
    writers.insert(writers.end(), found, found + count);
  }
  return writers;
}

void WaitForWriters(const std::vector<VirtualTransactionId>& writers, int slot) {
  constexpr std::int64_t kFirstWait = 1000;
  for (const VirtualTransactionId& writer : writers) {
    std::int64_t wait = kFirstWait;
    while (!pg::Call([&writer] { return VirtualXactLock(writer, false); })) {
      Sleep(slot, board::RunWait::kWriters, wait);
      wait = std::min(wait * 2, kLongestWait);
    }
  }
}

}  // namespace ratchet::batch
