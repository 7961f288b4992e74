#include "worker/foreground_session.h"

#include <cstring>

#include "board/run_board.h"
#include "catalog/run_messages.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/last_words.h"
#include "policy/clock_watch.h"
#include "worker/cancel_timer.h"
#include "worker/condition.h"
#include "worker/job_lock.h"
#include "worker/run_report.h"
#include "worker/transaction_watch.h"

extern "C" {
#include "port.h"
#include "storage/ipc.h"
#include "storage/latch.h"
}

#include <unistd.h>

namespace ratchet::worker {

namespace {

// The outcome is too large for the stack of an exit callback.
board::RunOutcome outcome;

int last_sqlstate = 0;
char last_message[256] = "";

// The error for which the server aborts a transaction: it has it in hand until that is done. False
// if there is none. To ask is an error then, and an error takes back what holds off interrupts,
// which the abort counts on.
bool FindErrorInHand(catalog::RunError* error) {
  const auto interrupts = InterruptHoldoffCount;
  const auto cancel = QueryCancelHoldoffCount;
  const ErrorData* found = nullptr;
  try {
    found = pg::Call([] { return CopyErrorData(); });
  } catch (const pg::PgError&) {
    InterruptHoldoffCount = interrupts;
    QueryCancelHoldoffCount = cancel;
    return false;
  }
  *error = catalog::ErrorOf(*found);
  return true;
}

}  // namespace

// Never destroyed: the exit callback needs it.
ForegroundSession& ForegroundSession::The() {
  static auto* session = new ForegroundSession();
  return *session;
}

ForegroundSession& ForegroundSession::Begin(const catalog::JobDefinition& job,
                                            const board::RunTicket& ticket,
                                            const std::string& payload, int slot) {
  ForegroundSession& session = The();
  session.InstallCallbacks();
  session.phase_ = Phase::kExecuting;
  session.run_.slot = slot;
  session.run_.ticket = ticket;
  session.run_.payload = ticket.has_payload ? payload : job.payload;
  session.record_ = catalog::RecordOf(ticket, job.job_name, payload);
  session.record_.started_at = GetCurrentTimestamp();
  session.record_.worker_pid = MyProcPid;
  session.record_.has_counters = true;
  session.in_condition_ = false;
  session.usage_ = MarkUsage();
  last_sqlstate = 0;
  RunTimer::Forget();
  BeginTransactionWatch();
  catalog::RunMessages::The().Begin(slot);
  SetCurrentRun(&session.run_);
  return session;
}

void ForegroundSession::InstallCallbacks() {
  static bool installed = false;
  if (installed) {
    return;
  }
  InstallTransactionWatch();
  // After the watch, so that it is called before it: at the run's end the lock must not be renewed.
  RegisterXactCallback(AtTransactionEvent, this);
  on_shmem_exit(AtExit, PointerGetDatum(this));
  pg::ListenForLastWords(AtLastWords);
  installed = true;
}

void ForegroundSession::Count() {
  const board::RunSlot& slot = board::Runs()[run_.slot];
  const policy::Moment now = pg::Now();
  record_.finished_at = now.wall;
  record_.started_at = policy::OnClockOf(now, {slot.started_at, slot.begun});
  if (!slot.walks) {
    record_.counters.items_done = slot.progress_done;
  }
  CountUsage(usage_, &record_.counters);
}

void ForegroundSession::StopExecuting() {
  RunTimer::Stop();
  SetCurrentRun(nullptr);
  record_.messages = catalog::RunMessages::The().Finish();
  Count();
}

void ForegroundSession::NoteWalk(const batch::Walk& walk) { FillFromWalk(walk, &record_); }

catalog::RunRecord& ForegroundSession::Finish(std::int64_t rows_affected,
                                              const std::string& result) {
  StopExecuting();
  record_.counters.rows_affected = rows_affected;
  record_.result = result;
  record_.status = board::Runs()[run_.slot].progress_remaining > 0 ? policy::RunStatus::kPartial
                                                                   : policy::RunStatus::kSucceeded;
  phase_ = Phase::kFinished;
  return record_;
}

catalog::RunRecord& ForegroundSession::FinishNotNeeded() {
  StopExecuting();
  record_.status = policy::RunStatus::kSkipped;
  record_.reason = kConditionFalse;
  record_.started_at = 0;
  record_.worker_pid = 0;
  record_.has_counters = false;
  phase_ = Phase::kFinished;
  return record_;
}

void ForegroundSession::Fail(catalog::RunError error) {
  StopExecuting();
  phase_ = Phase::kFailed;
  FillFailure({RunTimer::Fired(), in_condition_, run_.slot}, std::move(error), &record_);
}

// The transaction is over, and its locks are about to be released. The server itself has logged the
// error of a run that failed.
void ForegroundSession::End(bool recorded) noexcept {
  phase_ = Phase::kNone;
  try {
    ReleaseJobLock();
  } catch (const std::exception&) {
    // It is ours, and only an internal error could keep it; the session's end releases it.
  }
  FillOutcome(record_, recorded, &outcome);
  if (board::End(run_.slot, outcome) != board::CancelReason::kNotCanceled) {
    // See Run::End: the signal has arrived after a system call, and is not for the next statement.
    (void)getppid();
    QueryCancelPending = false;
  }
  if (recorded) {
    board::AnnounceRecorded();
    LogRun(record_, HidesFailedStatements());
  }
}

void ForegroundSession::AtTransactionEvent(XactEvent event, void* self) {
  auto* session = static_cast<ForegroundSession*>(self);
  if (session->phase_ == Phase::kNone || session->phase_ == Phase::kExecuting) {
    return;  // COMMIT and ROLLBACK inside of the job's text
  }
  if (event == XACT_EVENT_COMMIT) {
    session->End(true);
  } else if (event == XACT_EVENT_ABORT) {
    if (session->record_.error.sqlstate == 0) {
      session->NoteErrorOfCommit();
    }
    session->settings_.PutBackAfterAbort();
    session->End(false);
  }
}

// The commit has failed, after the record was written. No memory: the SQLSTATE alone must do.
void ForegroundSession::NoteErrorOfCommit() noexcept {
  record_.status = policy::RunStatus::kFailed;
  catalog::RunError& error = record_.error;
  try {
    if (last_sqlstate != 0) {
      error.sqlstate = last_sqlstate;
      error.message = last_message;
    } else if (!FindErrorInHand(&error)) {
      error.sqlstate = ERRCODE_TRANSACTION_ROLLBACK;
      error.message = "the transaction in which the job ran was rolled back";
    }
  } catch (const std::bad_alloc&) {
    if (error.sqlstate == 0) {
      error.sqlstate = ERRCODE_OUT_OF_MEMORY;
    }
  }
}

void ForegroundSession::AtLastWords(int sqlstate, const char* message) noexcept {
  if (The().phase_ != Phase::kNone) {
    last_sqlstate = sqlstate;
    strlcpy(last_message, message, sizeof(last_message));
  }
}

// Runs in whatever state the process is: nothing may be raised or allocated.
void ForegroundSession::AtExit(int /*code*/, Datum self) {
  auto* session = reinterpret_cast<ForegroundSession*>(DatumGetPointer(self));
  if (session->phase_ == Phase::kNone) {
    return;
  }
  session->phase_ = Phase::kNone;
  const board::CancelReason cancel = board::CancelReasonOf(session->run_.slot);
  outcome.status = cancel == board::CancelReason::kCanceled   ? policy::RunStatus::kCanceled
                   : cancel == board::CancelReason::kTimedOut ? policy::RunStatus::kTimedOut
                                                              : policy::RunStatus::kCrashed;
  outcome.recorded = false;
  outcome.sqlstate = last_sqlstate;
  outcome.finished_at = GetCurrentTimestamp();
  outcome.counters = session->record_.counters;
  std::memset(outcome.text, 0, sizeof(outcome.text));
  strlcpy(outcome.text, last_message, sizeof(last_message));
  board::End(session->run_.slot, outcome);
}

}  // namespace ratchet::worker
