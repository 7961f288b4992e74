#include "worker/run.h"

#include <optional>

#include "batch/walk.h"
#include "board/run_board.h"
#include "catalog/checkpoint.h"
#include "catalog/job.h"
#include "catalog/role_check.h"
#include "catalog/run_log.h"
#include "catalog/run_messages.h"
#include "catalog/run_queue.h"
#include "pg/clock.h"
#include "pg/listener.h"
#include "pg/transaction.h"
#include "policy/clock_watch.h"
#include "worker/cancel_timer.h"
#include "worker/checkpoint_wait.h"
#include "worker/condition.h"
#include "worker/current_run.h"
#include "worker/definition_cache.h"
#include "worker/error_cleanup.h"
#include "worker/execute.h"
#include "worker/job_lock.h"
#include "worker/own_changes.h"
#include "worker/quiet_locks.h"
#include "worker/run_report.h"
#include "worker/session_names.h"
#include "worker/table_hold.h"
#include "worker/time_bound.h"
#include "worker/transaction_watch.h"
#include "worker/usage.h"

extern "C" {
#include "executor/spi.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
}

#include <unistd.h>

namespace ratchet::worker {
namespace {

// A run after which a look at the process's memory does not count.
constexpr std::int64_t kLongRun = 10'000;  // microseconds

class Run : public batch::Host {
 public:
  explicit Run(int slot);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() override {
    debug_query_string = nullptr;
    SetCurrentRun(nullptr);
  }

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
  // At top level, when nothing of the run is left to be done.
  void CountOwnChanges() noexcept;
  void End() noexcept;

  bool failed() const { return record_.error.sqlstate != 0; }
  bool TookLong() const { return pg::SteadyNow() - begun_ > kLongRun; }
  void AddContext() const;

 private:
  void Prepare();
  void ShowActivity(const std::string& job_name);
  void ShowText(const std::string& text);
  bool IsNeeded();
  void EndNotNeeded(const char* reason);
  void CloseUserPart();
  void RecordSuccess();

  // batch::Host
  void Begin() override;
  void Close() override;
  void Commit() override;
  bool Abort(bool clean) override;
  void Finish(const batch::Walk& walk) override;

  void RecordUndone();
  void RecordFailure(bool asynchronously);

  CurrentRun run_;
  MemoryContext memory_;
  UsageMark usage_;
  policy::SteadyTime begun_{};
  policy::AwakeTime time_since_{};  // as on the board
  catalog::RunRecord record_;
  const catalog::JobVersion* definition_ = nullptr;
  bool recorded_ = false;
  bool in_condition_ = false;     // its only_if is being evaluated
  bool walk_has_ended_ = false;   // with which it was to go on
  bool hides_statement_ = false;  // from the line that says that it failed
  policy::OwnChanges own_{};
  QuietLocks quiet_locks_;
  // One of them: how the run is executed.
  std::optional<Execution> execution_;
  std::optional<batch::Walk> walk_;
};

// For parse trees, plans and the result of the run in hand.
MemoryContext RunMemory() {
  static MemoryContext memory = nullptr;
  if (memory == nullptr) {
    memory = pg::Call([] {
      return AllocSetContextCreate(TopMemoryContext, "ratchet run", ALLOCSET_DEFAULT_SIZES);
    });
  }
  return memory;
}

Run::Run(int slot) : memory_(RunMemory()), usage_(MarkUsage()) {
  run_.slot = slot;
  run_.ticket = board::TicketOf(slot);
  record_ = catalog::RecordOf(run_.ticket, run_.ticket.job_name, {});
  const board::RunSlot& taken = board::Runs()[slot];
  record_.started_at = taken.started_at;
  begun_ = taken.begun;
  time_since_ = taken.time_since;
  record_.worker_pid = MyProcPid;
  record_.has_counters = true;
  BeginTransactionWatch();
  RunTimer::Forget();
}

void Run::ShowActivity(const std::string& job_name) {
  ShowJobName(job_name);
  ShowText(definition_->is_batch() ? definition_->action : definition_->command);
}

void Run::ShowText(const std::string& text) {
  debug_query_string = text.c_str();
  pg::Call([&text] { pgstat_report_activity(STATE_RUNNING, text.c_str()); });
}

// In a transaction of its own, so that a ROLLBACK of the job does not undo the settings.
void Run::Prepare() {
  const board::RunTicket& ticket = run_.ticket;
  pg::Transaction transaction;
  catalog::RequireRole(GetSessionUserId());
  if (BoundRunTime(&run_.ticket)) {
    board::BoundTimeout(run_.slot, ticket.timeout);
  }
  if (ticket.timeout > 0) {
    pg::Call([&] { RunTimer::Start(time_since_ + ticket.timeout); });
  }
  WaitForDefinition(ticket, run_.slot);
  const Definition& definition = DefinitionOf(ticket.job_id, ticket.version);
  definition_ = &definition.version;
  record_.job_name = definition_->job_name;
  record_.payload = catalog::PayloadOf(ticket);
  run_.payload = ticket.has_payload ? record_.payload : definition_->payload;
  ForgetPlansOfOthers(ticket.job_id, ticket.version);
  pg::Call([&] { TakeJobLock(ticket.job_id, ticket.exclusive); });
  ShowActivity(record_.job_name);
  ApplySettings(definition.settings);
  catalog::RunMessages::The().EndIfNotWanted();
  if (definition_->is_batch()) {
    GiveWayToOthers();
  }
  if (!definition_->is_batch() || ticket.walk_began != 0) {
    WaitForCheckpoint(ticket, run_.slot);
  }
  walk_has_ended_ = catalog::WalkHasEnded(ticket);
  if (ticket.watches) {
    if (const auto job = catalog::FindJob(ticket.job_id)) {
      WatchTables(job->watch);
    }
  }
  transaction.Commit();
}

// In a transaction of its own, before those of the job.
bool Run::IsNeeded() {
  if (!HasCondition(run_.ticket, definition_->only_if)) {
    return true;
  }
  in_condition_ = true;
  SetCurrentRun(&run_);
  ShowText(definition_->only_if);
  Condition condition = Condition::kAgain;
  for (int attempt = 1; condition == Condition::kAgain; attempt++) {
    pg::Transaction transaction;
    condition = EvaluateCondition(definition_->only_if, run_.slot, attempt);
    transaction.Commit();
  }
  SetCurrentRun(nullptr);
  ShowText(definition_->is_batch() ? definition_->action : definition_->command);
  in_condition_ = false;
  return condition == Condition::kTrue;
}

// A record that a crash takes back leaves a run that crashed, and is evaluated again.
void Run::EndNotNeeded(const char* reason) {
  CloseUserPart();
  record_.status = policy::RunStatus::kSkipped;
  record_.reason = reason;
  record_.started_at = 0;
  record_.worker_pid = 0;
  record_.has_counters = false;
  if (IsRecordedWhenNotNeeded(run_.ticket)) {
    RecordUndone();
  }
}

void Run::Perform() {
  catalog::RunMessages::The().Begin(run_.slot);
  BeginOwnChanges(run_.ticket.watches);
  AllowCancel();
  Prepare();
  // Nothing of the job is done when it was canceled before this, however short it is.
  pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  if (walk_has_ended_ || !IsNeeded()) {
    EndNotNeeded(walk_has_ended_ ? catalog::kWalkHasEnded : kConditionFalse);
    return;
  }
  if (definition_->is_batch()) {
    walk_.emplace(batch::WalkRun{run_.slot, &run_.ticket, definition_, time_since_, memory_},
                  *this);
    walk_->Run();
    return;
  }
  SetCurrentRun(&run_);
  execution_.emplace(definition_->command.c_str(),
                     definition_->transaction == catalog::TransactionMode::kPerStatement,
                     run_.ticket.dry_run, memory_);
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
  });
  execution_->Run();
  if (!run_.ticket.dry_run) {
    WaitForRecord(run_.slot);
  }
  CloseUserPart();
  if (execution_->result() != nullptr) {
    record_.result = execution_->result();
  }
  if (run_.ticket.dry_run) {
    pg::AbortOpenTransaction();
    RecordUndone();
  } else {
    RecordSuccess();
  }
}

// From here on neither a cancel nor the timer can take back what the job has done.
void Run::CloseUserPart() {
  RefuseCancel();
  RunTimer::Stop();
  SetCurrentRun(nullptr);
  record_.messages = catalog::RunMessages::The().Finish();
  const board::RunSlot& slot = board::Runs()[run_.slot];
  const policy::Moment now = pg::Now();
  record_.finished_at = now.wall;
  record_.started_at = policy::OnClockOf(now, {record_.started_at, begun_});
  record_.counters.items_done = slot.progress_done;
  record_.counters.rows_affected = execution_ ? execution_->rows_affected() : 0;
  CountUsage(usage_, &record_.counters);
  record_.status =
      slot.progress_remaining > 0 ? policy::RunStatus::kPartial : policy::RunStatus::kSucceeded;
}

// In the transaction that the job's last statement has left open: effects and record commit
// together.
void Run::RecordSuccess() {
  // What wrote nothing may be lost in a crash together with its record, and is then run again.
  if (!HasWritten()) {
    CommitNextAsynchronously();
  }
  WriteRecord(record_, walk_ && walk_->keeps_checkpoint());
  pg::Call([] { CommitTransactionCommand(); });
  recorded_ = true;
}

// Nothing has been done, and nothing is lost if that is canceled.
void Run::RecordUndone() {
  pg::Transaction transaction;
  AllowCancel();
  WaitForRecord(run_.slot);
  RefuseCancel();
  WriteRecord(record_);
  CommitNextAsynchronously();
  transaction.Commit();
  recorded_ = true;
}

void Run::RecordFailure(bool asynchronously) {
  pg::Transaction transaction;
  if (!TryWaitForRecord(run_.slot)) {
    throw pg::Error(ERRCODE_LOCK_NOT_AVAILABLE, "another session has locked ratchet.run_log", {});
  }
  WriteRecord(record_);
  if (asynchronously) {
    CommitNextAsynchronously();
  }
  transaction.Commit();
  recorded_ = true;
}

// ---- A batch job -------------------------------------------------------------------------------

void Run::Begin() {
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    pg::Call([] { ProcessConfigFile(PGC_SIGHUP); });
  }
  SetCurrentRun(&run_);
  AllowCancel();
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    StartStatementTimer();
  });
}

// What was asked for until now is heard now, and not later by somebody else.
void Run::Close() {
  RefuseCancel();
  pg::Call([] { StopStatementTimer(); });
  if (QueryCancelPending) {
    AllowCancel();
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });
  }
  RefuseCancel();
  quiet_locks_.Begin();
}

void Run::Commit() {
  if (run_.ticket.dry_run) {
    Abort(true);
  } else {
    pg::Call([] {
      PopActiveSnapshot();
      SPI_finish();
      CommitTransactionCommand();
    });
    ReportStatistics(false);
  }
  quiet_locks_.End();
  AllowCancel();
}

bool Run::Abort(bool /*clean*/) {
  RefuseCancel();
  quiet_locks_.End();
  pg::Call([] { StopStatementTimer(); });
  pg::AbortOpenTransaction();
  if (run_.ticket.timeout > 0) {
    // The last batch has stopped it, and is to be done again.
    pg::Call([this] { RunTimer::Start(time_since_ + run_.ticket.timeout); });
  }
  AllowCancel();
  return true;
}

void Run::Finish(const batch::Walk& walk) {
  CloseUserPart();
  FillFromEndedWalk(walk, definition_->max_failed_items, &record_);
  if (run_.ticket.dry_run) {
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
  const bool timed_out = RunTimer::Fired();
  hides_statement_ = HidesFailedStatements();
  quiet_locks_.End();
  CleanUpAfterError();
  CloseUserPart();
  if (walk_) {
    FillFromWalk(*walk_, &record_);
  }
  FillFailure({timed_out, in_condition_, run_.slot}, std::move(error), &record_);
  const bool asynchronously = !HasCommittedWrites();
  try {
    RecordFailure(asynchronously);
  } catch (const std::exception& failure) {
    // The scheduler gets the outcome with the texts, and records it when it can.
    RefuseCancel();
    ereport(LOG, (errmsg("could not record run %lld of job \"%s\": %s",
                         static_cast<long long>(record_.run_id), record_.job_name.c_str(),
                         failure.what())));
  }
}

void Run::Leave() noexcept {
  quiet_locks_.End();
  try {
    ReleaseJobLock();
  } catch (const pg::PgError& error) {
    ereport(FATAL, (errmsg("could not release the lock of a job: %s", error.what())));
  }
  execution_.reset();
  walk_.reset();
  MemoryContextReset(memory_);
}

void Run::CountOwnChanges() noexcept {
  try {
    own_ = EndOwnChanges();
  } catch (const pg::PgError& error) {
    ereport(FATAL, (errmsg("could not report statistics after a run: %s", error.what())));
  }
}

void Run::End() noexcept {
  static board::RunOutcome outcome;
  FillOutcome(record_, recorded_, &outcome);
  outcome.own = own_;
  if (board::End(run_.slot, outcome) != board::CancelReason::kNotCanceled) {
    // The signal was sent while we still had the run; on its way out of a system call the process
    // has received it for certain, and it is not meant for the next run.
    (void)getppid();
  }
  QueryCancelPending = false;
  if (recorded_) {
    board::AnnounceRecorded();
  }
  LogRun(record_, hides_statement_);
}

void Run::AddContext() const {
  pg::Hear();
  if (walk_) {
    walk_->AddErrorContext();
  }
  if (execution_) {
    HintAtCommit(execution_->share_transaction(), run_.ticket.dry_run);
  }
  if (execution_ && execution_->statements() > 1) {
    errcontext("statement %d of %d", execution_->statement(), execution_->statements());
  }
  errcontext("job \"%s\", run %lld, role \"%s\", database \"%s\"", record_.job_name.c_str(),
             static_cast<long long>(run_.ticket.run_id), SessionRole(), SessionDatabase());
}

void AddRunContext(void* run) { static_cast<const Run*>(run)->AddContext(); }

}  // namespace

void AllowCancel() { QueryCancelHoldoffCount = 0; }

void RefuseCancel() { QueryCancelHoldoffCount = 1; }

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
  const bool clean = session.Reset();
  RefuseCancel();
  run.CountOwnChanges();
  run.End();
  return {clean, run.failed() || run.TookLong()};
}

}  // namespace ratchet::worker
