#include "worker/run.h"

#include <optional>

#include "batch/walk.h"
#include "board/run_board.h"
#include "board/run_waits.h"
#include "catalog/checkpoint.h"
#include "catalog/incarnation.h"
#include "catalog/job.h"
#include "catalog/role_check.h"
#include "catalog/run_log.h"
#include "catalog/run_messages.h"
#include "catalog/run_queue.h"
#include "pg/clock.h"
#include "pg/listener.h"
#include "pg/settings.h"
#include "pg/transaction.h"
#include "worker/checkpoint_wait.h"
#include "worker/condition.h"
#include "worker/definition_cache.h"
#include "worker/error_cleanup.h"
#include "worker/execute.h"
#include "worker/planned_stop.h"
#include "worker/run_report.h"
#include "worker/run_scope.h"
#include "worker/session_names.h"
#include "worker/table_hold.h"
#include "worker/task_stretch.h"

extern "C" {
#include "executor/spi.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
}

#include <unistd.h>

namespace ratchet::worker {
namespace {

// A run after which a look at the process's memory does not count.
constexpr std::int64_t kLongRun = 10'000;  // microseconds

const std::string& TextOf(const catalog::JobVersion& definition) {
  return definition.is_batch() || definition.is_queue ? definition.action : definition.command;
}

class Run : public batch::Host {
 public:
  explicit Run(int slot);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() override { debug_query_string = nullptr; }

  // Executes and records the run; the error of what fails is thrown, with its transaction open.
  void Perform();
  void Fail(catalog::RunError error);
  void Leave() noexcept;
  // With the run's settings, behind its commit.
  void LogDuration() const noexcept {
    if (execution_) {
      execution_->LogEnd();
    }
  }
  // At top level, when nothing of the run is left to be done. False when the session is not as it
  // was before the run.
  bool LeaveSession(Session& session) noexcept;
  void End() noexcept;

  bool failed() const { return scope_.record().error.sqlstate != 0; }
  bool TookLong() const { return pg::SteadyNow() - scope_.begun() > kLongRun; }
  void AddContext() const;

 private:
  void Prepare();
  void ShowActivity(const std::string& job_name);
  void ShowText(const std::string& text);
  bool IsNeeded();
  void EndNotNeeded(const char* reason);
  void CloseUserPart();
  void RecordSuccess();
  void DoTasks();
  void GiveBackTasks();

  // batch::Host
  void Begin() override;
  void Close() override;
  void Commit() override;
  bool Abort(bool clean) override;
  bool HasToEnd() const override { return StopIsAsked(); }
  bool IsByStop(int sqlstate) const override { return worker::IsByStop(sqlstate, scope_.slot()); }
  void Finish(const batch::Walk& walk) override;

  void RecordUndone();
  void RecordFailure(bool asynchronously);

  const board::RunTicket& ticket() const { return scope_.ticket(); }
  catalog::RunRecord& record() { return scope_.record(); }

  RunScope scope_;
  const catalog::JobVersion* definition_ = nullptr;
  bool recorded_ = false;
  bool in_condition_ = false;     // its only_if is being evaluated
  bool walk_has_ended_ = false;   // with which it was to go on
  bool hides_statement_ = false;  // from the line that says that it failed
  policy::OwnChanges own_{};
  // One of them: how the run is executed.
  std::optional<Execution> execution_;
  std::optional<batch::Walk> walk_;
  std::optional<TaskStretch> stretch_;
};

Run::Run(int slot) : scope_(slot, board::TicketOf(slot), 0) {}

void Run::ShowActivity(const std::string& job_name) {
  ShowJobName(job_name);
  ShowText(TextOf(*definition_));
}

void Run::ShowText(const std::string& text) {
  debug_query_string = text.c_str();
  pg::Call([&text] { pgstat_report_activity(STATE_RUNNING, text.c_str()); });
}

// In a transaction of its own, so that a ROLLBACK of the job does not undo the settings.
void Run::Prepare() {
  const board::RunTicket& ticket = scope_.ticket();
  pg::Transaction transaction;
  catalog::RequireRole(GetSessionUserId());
  // The time-out of a queue is that of a task.
  if (ticket.cause != policy::Cause::kQueue) {
    scope_.BoundTime();
    scope_.StartTimer();
  }
  WaitForDefinition(ticket, scope_.slot());
  catalog::RequireIncarnation(ticket.incarnation);
  const Definition& definition = DefinitionOf(ticket.job_id, ticket.version);
  definition_ = &definition.version;
  record().job_name = definition_->job_name;
  scope_.SetPayload(catalog::PayloadOf(ticket), definition_->payload);
  ForgetPlansOfOthers(ticket.job_id, ticket.version);
  pg::Call([&] { scope_.job_lock().Take(ticket.job_id, ticket.incarnation, ticket.exclusive); });
  ShowActivity(record().job_name);
  ApplySettings(definition.settings);
  catalog::RunMessages::The().EndIfNotWanted();
  if (definition_->is_batch() || definition_->is_queue) {
    GiveWayToOthers(definition.settings);
  }
  if (!definition_->is_batch() || ticket.walk_began != 0) {
    WaitForCheckpoint(ticket, scope_.slot());
  }
  walk_has_ended_ = catalog::WalkHasEnded(ticket);
  if (ticket.watches) {
    if (const auto job = catalog::FindJob(ticket.job_id)) {
      scope_.own_changes().Watch(job->watch);
    }
  }
  transaction.Commit();
}

// In a transaction of its own, before those of the job.
bool Run::IsNeeded() {
  if (!HasCondition(ticket(), definition_->only_if)) {
    return true;
  }
  in_condition_ = true;
  scope_.EnterText();
  ShowText(definition_->only_if);
  Condition condition = Condition::kAgain;
  for (int attempt = 1; condition == Condition::kAgain; attempt++) {
    pg::Transaction transaction;
    condition = EvaluateCondition(definition_->only_if, scope_.slot(), attempt);
    transaction.Commit();
  }
  scope_.LeaveText();
  ShowText(TextOf(*definition_));
  in_condition_ = false;
  return condition == Condition::kTrue;
}

// A record that a crash takes back leaves a run that crashed, and is evaluated again.
void Run::EndNotNeeded(const char* reason) {
  scope_.cancels().Close();
  scope_.CloseNotNeeded(reason);
  if (IsRecordedWhenNotNeeded(ticket())) {
    RecordUndone();
  }
}

void Run::Perform() {
  catalog::RunMessages::The().Begin(scope_.slot());
  if (ticket().watches) {
    OwnChanges::ReportEarlier();
  }
  scope_.cancels().Open();
  HearStop();
  Prepare();
  // Nothing of the job is done when it was canceled before this, however short it is.
  pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  if (walk_has_ended_ || !IsNeeded()) {
    EndNotNeeded(walk_has_ended_ ? catalog::kWalkHasEnded : kConditionFalse);
    return;
  }
  if (definition_->is_batch()) {
    walk_.emplace(
        batch::WalkRun{scope_.slot(), &ticket(), definition_, scope_.time_since(), scope_.memory()},
        *this);
    SetAtStop(AtStop::kFinish);
    walk_->Run();
    return;
  }
  if (definition_->is_queue) {
    DoTasks();
    return;
  }
  scope_.EnterText();
  execution_.emplace(definition_->command.c_str(),
                     definition_->transaction == catalog::TransactionMode::kPerStatement,
                     ticket().dry_run, scope_.memory());
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
  });
  execution_->Run();
  if (!ticket().dry_run) {
    WaitForRecord(scope_.slot());
  }
  CloseUserPart();
  if (execution_->result() != nullptr) {
    record().result = execution_->result();
  }
  if (ticket().dry_run) {
    pg::AbortOpenTransaction();
    RecordUndone();
  } else {
    RecordSuccess();
  }
}

// From here on neither a cancel nor the timer can take back what the job has done.
void Run::CloseUserPart() {
  scope_.cancels().Close();
  scope_.Close();
  record().counters.rows_affected = execution_ ? execution_->rows_affected() : 0;
}

// In the transaction that the job's last statement has left open: effects and record commit
// together.
void Run::RecordSuccess() {
  // What wrote nothing may be lost in a crash together with its record, and is then run again.
  if (!scope_.transactions().HasWritten()) {
    scope_.transactions().CommitNextAsynchronously();
  }
  WriteRecord(record(), ticket().incarnation, walk_ && walk_->keeps_checkpoint());
  pg::Call([] { CommitTransactionCommand(); });
  recorded_ = true;
}

// Nothing has been done, and nothing is lost if that is canceled.
void Run::RecordUndone() {
  pg::Transaction transaction;
  scope_.cancels().Open();
  WaitForRecord(scope_.slot());
  scope_.cancels().Close();
  WriteRecord(record(), ticket().incarnation);
  scope_.transactions().CommitNextAsynchronously();
  transaction.Commit();
  recorded_ = true;
}

void Run::RecordFailure(bool asynchronously) {
  pg::Transaction transaction;
  if (!TryWaitForRecord(scope_.slot())) {
    throw pg::Error(ERRCODE_LOCK_NOT_AVAILABLE, "another session has locked ratchet.run_log", {});
  }
  WriteRecord(record(), ticket().incarnation);
  if (asynchronously) {
    scope_.transactions().CommitNextAsynchronously();
  }
  transaction.Commit();
  recorded_ = true;
}

// ---- A queue
// -------------------------------------------------------------------------------------

// What its tasks have done is committed with them, and only the record is left.
void Run::DoTasks() {
  stretch_.emplace(scope_, *definition_, *this);
  SetAtStop(AtStop::kFinish);
  stretch_->Run();
  if (stretch_->counters().batches == 0) {
    EndNotNeeded("there were no tasks");
    return;
  }
  CloseUserPart();
  FillFromStretch(stretch_->counters(), &record());
  RecordUndone();
}

// After an error that is no task's.
void Run::GiveBackTasks() {
  FillFromStretch(stretch_->counters(), &record());
  try {
    stretch_->GiveBack();
  } catch (const std::exception& failure) {
    pg::AbortOpenTransaction();
    ereport(LOG, (errmsg("could not give back the tasks of run %lld of job \"%s\": %s",
                         static_cast<long long>(record().run_id), record().job_name.c_str(),
                         failure.what())));
  }
}

// ---- A batch job -------------------------------------------------------------------------------

void Run::Begin() {
  pg::Call([] { pg::ReadSettingsIfAsked(); });
  scope_.EnterText();
  scope_.cancels().Open();
  pg::Call([this] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    if (!stretch_) {  // see worker/task_limits.h
      StartStatementTimer();
    }
  });
}

void Run::Close() {
  pg::Call([] { StopStatementTimer(); });
  scope_.CloseBatch();
}

void Run::Commit() {
  if (ticket().dry_run) {
    Abort(true);
    return;
  }
  catalog::RequireIncarnation(ticket().incarnation);
  pg::Call([] {
    PopActiveSnapshot();
    SPI_finish();
    CommitTransactionCommand();
  });
  scope_.own_changes().ReportStatistics(false);
  scope_.OpenAfterBatch();
}

bool Run::Abort(bool /*clean*/) {
  scope_.cancels().Close();
  pg::Call([] { StopStatementTimer(); });
  pg::AbortOpenTransaction();
  scope_.StartTimer();  // the last batch has stopped it, and is to be done again
  scope_.OpenAfterBatch();
  return true;
}

void Run::Finish(const batch::Walk& walk) {
  CloseUserPart();
  FillFromEndedWalk(walk, definition_->max_failed_items, &record());
  if (ticket().dry_run) {
    pg::AbortOpenTransaction();
    RecordUndone();
    return;
  }
  pg::Call([] {
    PopActiveSnapshot();
    SPI_finish();
  });
  RecordSuccess();
}

void Run::Fail(catalog::RunError error) {
  hides_statement_ = HidesFailedStatements();
  scope_.EndQuiet();
  CleanUpAfterError();
  CloseUserPart();
  if (walk_) {
    FillFromWalk(*walk_, &record());
  }
  if (stretch_) {
    GiveBackTasks();
  }
  scope_.SetFailure(std::move(error), in_condition_);
  const bool asynchronously = !scope_.transactions().HasCommittedWrites();
  try {
    RecordFailure(asynchronously);
  } catch (const std::exception& failure) {
    // The scheduler gets the outcome with the texts, and records it when it can.
    scope_.cancels().Close();
    ereport(LOG, (errmsg("could not record run %lld of job \"%s\": %s",
                         static_cast<long long>(record().run_id), record().job_name.c_str(),
                         failure.what())));
  }
}

void Run::Leave() noexcept {
  scope_.EndQuiet();
  try {
    scope_.job_lock().Release();
  } catch (const pg::PgError& error) {
    ereport(FATAL, (errmsg("could not release the lock of a job: %s", error.what())));
  }
  execution_.reset();
  walk_.reset();
  stretch_.reset();
  MemoryContextReset(scope_.memory());
}

bool Run::LeaveSession(Session& session) noexcept {
  const bool clean = session.Reset(scope_.transactions());
  scope_.cancels().Close();
  try {
    own_ = scope_.own_changes().End();
  } catch (const pg::PgError& error) {
    ereport(FATAL, (errmsg("could not report statistics after a run: %s", error.what())));
  }
  return clean;
}

void Run::End() noexcept {
  static board::RunOutcome outcome;
  FillOutcome(record(), recorded_, &outcome);
  outcome.own = own_;
  if (board::End(scope_.slot(), outcome) != board::CancelReason::kNotCanceled) {
    // The signal was sent while we still had the run; on its way out of a system call the process
    // has received it for certain, and it is not meant for the next run.
    (void)getppid();
  }
  scope_.cancels().Drop();
  if (recorded_) {
    board::AnnounceRecorded();
  }
  LogRun(record(), hides_statement_);
}

void Run::AddContext() const {
  pg::Hear();
  if (walk_) {
    walk_->AddErrorContext();
  }
  if (stretch_) {
    stretch_->AddErrorContext();
  }
  HintAtCommit(walk_ || stretch_ ? OneTransaction::kBatch
               : execution_      ? execution_->why_one_transaction()
                                 : OneTransaction::kNot);
  if (execution_ && execution_->statements() > 1) {
    errcontext("statement %d of %d", execution_->statement(), execution_->statements());
  }
  errcontext("job \"%s\", run %lld, role \"%s\", database \"%s\"", scope_.record().job_name.c_str(),
             static_cast<long long>(ticket().run_id), SessionRole(), SessionDatabase());
}

void AddRunContext(void* run) { static_cast<const Run*>(run)->AddContext(); }

}  // namespace

RunFinish RunTaken(Session& session, int slot) {
  Run run(slot);
  ErrorContextCallback context{};
  context.callback = AddRunContext;
  context.arg = &run;
  context.previous = error_context_stack;
  error_context_stack = &context;
  try {
    run.Perform();
    run.LogDuration();
  } catch (const std::exception& error) {
    run.Fail(catalog::ErrorOf(error));
  }
  error_context_stack = context.previous;
  run.Leave();
  const bool clean = run.LeaveSession(session);
  run.End();
  return {clean, run.failed() || run.TookLong()};
}

}  // namespace ratchet::worker
