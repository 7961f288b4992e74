#include "worker/cancel_window.h"

#include "board/run_board.h"
#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
}

#include <csignal>

namespace ratchet::worker {
namespace {

// Timers cancel by the same signal. One that arrives meanwhile is delivered before the call that
// lets it in again returns.
void MaskCancel(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigprocmask(how, &signals, nullptr);
}

}  // namespace

namespace {

volatile std::sig_atomic_t cancel_has_come = 0;

void AtCancel(SIGNAL_ARGS) {
  cancel_has_come = 1;
  pg::CancelStatement(RATCHET_SIGNAL);
}

}  // namespace

void InstallCancelHandler() { pqsignal(SIGINT, AtCancel); }

bool CancelHasCome() { return cancel_has_come != 0; }

void ForgetCancel() { cancel_has_come = 0; }

void CancelWindow::Open() { QueryCancelHoldoffCount = open_; }

void CancelWindow::Close() { QueryCancelHoldoffCount = open_ + 1; }

void CancelWindow::Hold() noexcept {
  if (held_) {
    return;
  }
  held_ = true;
  MaskCancel(SIG_BLOCK);
  was_pending_ = QueryCancelPending;
  QueryCancelPending = false;
  board::BeginCommit(slot_);
}

void CancelWindow::Release() noexcept {
  if (!held_) {
    return;
  }
  held_ = false;
  board::EndCommit(slot_);
  MaskCancel(SIG_UNBLOCK);
  if (was_pending_) {
    QueryCancelPending = true;
    InterruptPending = true;
  }
}

void CancelWindow::Drop() noexcept {
  was_pending_ = false;
  Release();
  QueryCancelPending = false;
}

void RefuseCancels() { QueryCancelHoldoffCount = 1; }

}  // namespace ratchet::worker
