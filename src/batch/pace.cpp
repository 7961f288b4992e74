#include "batch/pace.h"

#include <algorithm>

#include "board/run_board.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/latch.h"
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
    // A client's session, in the foreground, reads its settings between two commands.
    if (MyBackendType == B_BG_WORKER) {
      pg::ReadSettingsIfAsked();
    }
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

void WaitWhile(int slot, board::RunWait why, const std::function<std::int64_t()>& left) {
  std::int64_t micros = left();
  if (micros <= 0) {
    return;
  }
  board::SetWait(slot, why);
  for (; micros > 0; micros = left()) {
    Wait(std::min(micros, 10 * kLongestWait));
  }
  board::SetWait(slot, board::RunWait::kNothing);
}

bool RunLimit::IsClosed() const { return closes_at != 0 && GetCurrentTimestamp() >= closes_at; }

std::int64_t RunLimit::Left() const {
  if (host->HasToEnd()) {
    return 0;
  }
  const std::int64_t of_time = time_over.IsSet() ? time_over - pg::AwakeNow() : INT64_MAX;
  return closes_at != 0 ? std::min(of_time, closes_at - GetCurrentTimestamp()) : of_time;
}

void Sleep(int slot, board::RunWait why, std::int64_t micros) {
  const policy::AwakeTime until = pg::AwakeNow() + micros;
  WaitWhile(slot, why, [until] { return until - pg::AwakeNow(); });
}

double Pace::PauseRatio() const {
  return std::min(batch_.pause_ratio >= 0 ? batch_.pause_ratio : pg::settings.pause_ratio, 0.99);
}

std::int64_t Pace::MaxLag() const {
  return batch_.max_replication_lag >= 0 ? batch_.max_replication_lag
                                         : std::int64_t{pg::settings.max_replication_lag} * 1000;
}

// Limits and ratio may be changed while it waits, by whom it takes too long.
void Pace::Rest(std::int64_t busy, const RunLimit& limit) {
  WaitForStandbys(limit);
  const policy::AwakeTime since = pg::AwakeNow();
  WaitWhile(slot_, board::RunWait::kPause, [&] {
    const double ratio = PauseRatio();
    const double rest = static_cast<double>(busy) * ratio / (1 - ratio);
    return std::min(since + static_cast<std::int64_t>(rest) - pg::AwakeNow(), limit.Left());
  });
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
  return committed_.empty() ? 0 : pg::SteadyNow() - committed_.front().at;
}

void Pace::WaitForStandbys(const RunLimit& run) {
  if (MaxLag() <= 0) {
    committed_.clear();
    return;
  }
  if (committed_.size() < kMostCommitted &&
      (committed_.empty() || committed_.back().end < XactLastCommitEnd)) {
    committed_.push_back({XactLastCommitEnd, pg::SteadyNow()});
  }
  WaitWhile(slot_, board::RunWait::kReplication, [this, &run]() -> std::int64_t {
    const std::int64_t limit = MaxLag();
    if (limit <= 0 || Lag() <= limit) {
      return 0;
    }
    const std::int64_t next_look = std::clamp<std::int64_t>(limit / 4, 1000, kLongestWait);
    return std::min(next_look, run.Left());
  });
}

}  // namespace ratchet::batch
