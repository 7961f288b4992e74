#include "worker/foreground_session.h"

#include "board/run_board.h"
#include "board/run_waits.h"
#include "catalog/run_messages.h"
#include "pg/guard.h"
#include "pg/last_words.h"
#include "worker/condition.h"
#include "worker/run_report.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
}

#include <unistd.h>

namespace ratchet::worker {

namespace {

// The outcome is too large for the stack of an exit callback.
board::RunOutcome outcome;

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
  session.in_condition_ = false;
  session.scope_.emplace(slot, ticket, QueryCancelHoldoffCount);
  session.scope_->SetPayload(payload, job.payload);
  pg::ForgetLastWords();
  catalog::RunMessages::The().Begin(slot);
  session.scope_->EnterText();
  session.phase_ = Phase::kExecuting;
  return session;
}

void ForegroundSession::InstallCallbacks() {
  static bool installed = false;
  if (installed) {
    return;
  }
  // After those of the run, so that it is called before them: at its end nothing is renewed.
  RunScope::InstallCallbacks();
  RegisterXactCallback(AtTransactionEvent, this);
  on_shmem_exit(AtExit, PointerGetDatum(this));
  pg::ListenForLastWords();
  installed = true;
}

catalog::RunRecord& ForegroundSession::Finish(std::int64_t rows_affected,
                                              const std::string& result) {
  scope_->OpenAfterBatch();
  scope_->Close();
  catalog::RunRecord& record = scope_->record();
  record.counters.rows_affected = rows_affected;
  record.result = result;
  phase_ = Phase::kFinished;
  return record;
}

catalog::RunRecord& ForegroundSession::FinishNotNeeded() {
  scope_->CloseNotNeeded(kConditionFalse);
  phase_ = Phase::kFinished;
  return scope_->record();
}

void ForegroundSession::Fail(catalog::RunError error) {
  scope_->OpenAfterBatch();
  scope_->Close();
  scope_->SetFailure(std::move(error), in_condition_);
  phase_ = Phase::kFailed;
}

// The transaction is over, and its locks are about to be released. The server itself has logged the
// error of a run that failed.
void ForegroundSession::End(bool recorded) noexcept {
  phase_ = Phase::kNone;
  try {
    scope_->job_lock().Release();
  } catch (const std::exception&) {
    // It is ours, and only an internal error could keep it; the session's end releases it.
  }
  FillOutcome(scope_->record(), recorded, &outcome);
  if (board::End(scope_->slot(), outcome) != board::CancelReason::kNotCanceled) {
    // See Run::End: the signal has arrived after a system call, and is not for the next statement.
    (void)getppid();
    scope_->cancels().Drop();
  }
  if (recorded) {
    scope_->cancels().Drop();
    board::AnnounceRecorded();
    LogRun(scope_->record(), HidesFailedStatements());
  }
  scope_.reset();
}

void ForegroundSession::AtTransactionEvent(XactEvent event, void* self) {
  auto* session = static_cast<ForegroundSession*>(self);
  if (session->phase_ == Phase::kNone || session->phase_ == Phase::kExecuting) {
    return;  // COMMIT and ROLLBACK inside of the job's text
  }
  if (event == XACT_EVENT_COMMIT) {
    session->End(true);
  } else if (event == XACT_EVENT_ABORT) {
    if (session->scope_->record().error.sqlstate == 0) {
      session->NoteErrorOfCommit();
    }
    session->settings_.PutBackAfterAbort();
    session->End(false);
  }
}

// The commit has failed, after the record was written. No memory: the SQLSTATE alone must do.
void ForegroundSession::NoteErrorOfCommit() noexcept {
  scope_->record().status = policy::RunStatus::kFailed;
  catalog::RunError& error = scope_->record().error;
  try {
    if (const pg::LastWords& words = pg::TheLastWords(); words.sqlstate != 0) {
      error.sqlstate = words.sqlstate;
      error.message = words.message;
      error.detail = words.detail;
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

// Runs in whatever state the process is: nothing may be raised or allocated.
void ForegroundSession::AtExit(int /*code*/, Datum self) {
  auto* session = reinterpret_cast<ForegroundSession*>(DatumGetPointer(self));
  if (session->phase_ == Phase::kNone) {
    return;
  }
  session->phase_ = Phase::kNone;
  const board::CancelReason cancel = board::CancelReasonOf(session->scope_->slot());
  outcome.status = cancel == board::CancelReason::kCanceled   ? policy::RunStatus::kCanceled
                   : cancel == board::CancelReason::kTimedOut ? policy::RunStatus::kTimedOut
                                                              : policy::RunStatus::kCrashed;
  outcome.recorded = false;
  outcome.finished_at = GetCurrentTimestamp();
  outcome.counters = session->scope_->record().counters;
  board::SetLastWords(&outcome, pg::TheLastWords());
  board::End(session->scope_->slot(), outcome);
}

}  // namespace ratchet::worker
