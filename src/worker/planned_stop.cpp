#include "worker/planned_stop.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "board/run_board.h"
#include "pg/compat.h"
#include "pg/server.h"
#include "pg/server_stop.h"
#include "pg/settings.h"
#include "worker/cancel_timer.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
}

namespace ratchet::worker {
namespace {

// A batch in hand gets no more than this (milliseconds), however long runs may ignore a cancel: who
// stops the server waits for it.
constexpr std::int64_t kLongestGrace = 30'000;

// After the run was canceled for the stop, so long (milliseconds) it may take to be recorded.
constexpr std::int64_t kLastWords = 1000;
// The next step is looked for so often (milliseconds): a moment in which nothing can be interrupted
// is a short one, and a step that is not taken in it is taken in the next.
constexpr long kStep = 50;

// All of it is for one process, and read in its signal handler.
volatile std::sig_atomic_t at_stop = static_cast<int>(AtStop::kDie);
volatile std::sig_atomic_t asked = 0;
volatile std::sig_atomic_t canceled = 0;  // once is enough: what follows may be cleaning up
volatile std::sig_atomic_t by_others = 0;
std::int64_t asked_at = 0;
pg::Signal first;  // those behind it are our own
timer_t timer;
bool has_timer = false;

std::int64_t Milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Sends SIGTERM again, to whoever has asked for it once.
void StartTimer() {
  itimerspec every{};
  every.it_value.tv_nsec = kStep * 1'000'000;
  every.it_interval = every.it_value;
  timer_settime(timer, 0, &every, nullptr);
}

// By the signal of all cancels, which is held back while a transaction of the run commits
// (cancel_window.h).
void Cancel() {
  if (canceled == 0 && QueryCancelHoldoffCount == 0) {
    canceled = 1;
    kill(MyProcPid, SIGINT);
  }
}

void TakeStep(const pg::Signal& signal) {
  const std::int64_t since = Milliseconds() - asked_at;
  const std::int64_t grace = std::min<std::int64_t>(pg::settings.cancel_grace, kLongestGrace);
  if (since >= grace + kLastWords) {
    pg::Die(signal);
  } else if (at_stop == static_cast<int>(AtStop::kCancel) || since >= grace) {
    Cancel();
  }
}

// In a signal handler: flags, the latch, and calls that are safe there.
void AtTerminate(const pg::Signal& signal) {
  const int saved = errno;
  const bool has_run = at_stop != static_cast<int>(AtStop::kDie);
  if (!pg::IsOwn(signal)) {
    by_others = 1;
  }
  if (asked == 0 && (!has_run || !has_timer || !pg::ServerIsStopping())) {
    pg::Die(signal);
    errno = saved;
    return;
  }
  if (asked == 0) {
    asked_at = Milliseconds();
    first = signal;
    asked = 1;
    StartTimer();
  }
  TakeStep(first);
  SetLatch(MyLatch);
  errno = saved;
}

}  // namespace

void InstallStopHandler() {
  (void)pg::ServerIsStopping();
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGTERM;
  has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  pg::HandleTerminate(AtTerminate);
}

void SetAtStop(AtStop what) { at_stop = static_cast<int>(what); }

bool StopIsAsked() { return asked != 0; }

bool IsTerminatedByOthers() { return by_others != 0; }

void HearStop() {
  if (asked != 0 && at_stop == static_cast<int>(AtStop::kCancel)) {
    Cancel();
  }
}

bool IsByStop(int sqlstate, int slot) {
  if (RunTimer::Fired() || board::CancelReasonOf(slot) != board::CancelReason::kNotCanceled) {
    return false;
  }
  if (sqlstate == ERRCODE_QUERY_CANCELED) {
    return canceled != 0;
  }
  if (sqlstate == ERRCODE_ADMIN_SHUTDOWN) {
    return asked != 0 || pg::ServerIsStopping();  // a parallel worker may be told first
  }
  // In a smart shutdown nobody can connect for long before anybody is told to stop.
  return asked != 0 && (sqlstate == ERRCODE_CANNOT_CONNECT_NOW ||
                        ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_CONNECTION_EXCEPTION);
}

}  // namespace ratchet::worker
