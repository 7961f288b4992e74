#include "worker/foreground.h"

#include <optional>

#include "board/run_board.h"
#include "catalog/checkpoint.h"
#include "catalog/incarnation.h"
#include "catalog/job.h"
#include "catalog/job_version.h"
#include "catalog/missing_job.h"
#include "catalog/mutex_owner.h"
#include "catalog/numbers.h"
#include "catalog/run_log.h"
#include "catalog/run_queue.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/last_words.h"
#include "pg/listener.h"
#include "pg/snapshot_watch.h"
#include "pg/table.h"
#include "worker/cancel_timer.h"
#include "worker/checkpoint_wait.h"
#include "worker/condition.h"
#include "worker/current_run.h"
#include "worker/foreground_session.h"
#include "worker/foreground_statements.h"
#include "worker/foreground_walk.h"
#include "worker/hidden_tables.h"
#include "worker/run_report.h"
#include "worker/session_names.h"
#include "worker/time_bound.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "port.h"
#include "tcop/utility.h"
#include "utils/acl.h"
}

namespace ratchet::worker {
namespace {

void CheckCaller(const ForegroundRequest& request) {
  board::RequireBoard();
  if (TheCurrentRun() != nullptr) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "a run cannot run another job in the foreground",
                    "Use ratchet.trigger(), which takes effect when the run commits.");
  }
  if (!request.can_commit) {
    throw pg::Error(ERRCODE_ACTIVE_SQL_TRANSACTION,
                    "ratchet.run() cannot be called inside of a transaction block",
                    "Call it outside of BEGIN and COMMIT, of functions and of exception blocks, or "
                    "use ratchet.trigger().");
  }
  pg::Call([] { PreventCommandIfReadOnly("CALL ratchet.run()"); });
}

catalog::JobDefinition FindOwnJob(const std::string& job_name) {
  std::optional<catalog::JobDefinition> job = catalog::FindJobByName(job_name);
  if (!job || job->is_queue) {
    throw catalog::MissingJob(job_name);
  }
  // Whoever has come to be the owner can go back to who it was, and so can the job's text.
  if (job->owner != GetUserId() || GetUserId() != GetSessionUserId() ||
      GetUserId() != pg::AuthenticatedRole()) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "only the owner can run job \"" + job_name + "\" in the foreground",
                    "Use ratchet.trigger() and ratchet.wait(): the job then runs as its owner.",
                    "The session must have been started as the owner, without SET ROLE or "
                    "SET SESSION AUTHORIZATION.");
  }
  if (job->quarantined) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "job \"" + job_name + "\" is held back",
                    "Let a superuser look at it and run SELECT ratchet.adopt().",
                    "Its definition was not written by pg_ratchet in this database.");
  }
  return std::move(*job);
}

// The job as it is kept for the record of its run.
catalog::JobDefinition PinOwnJob(const std::string& job_name) {
  for (;;) {
    catalog::JobDefinition job = FindOwnJob(job_name);
    if (catalog::PinJobVersion(job.job_id, job.version)) {
      return job;
    }
    pg::Call([] { CHECK_FOR_INTERRUPTS(); });  // it was altered in that moment
  }
}

board::RunTicket TicketFor(const catalog::JobDefinition& job, const ForegroundRequest& request) {
  board::RunTicket ticket{};
  catalog::NumberRun(&ticket);
  ticket.job_id = job.job_id;
  ticket.version = job.version;
  ticket.database = MyDatabaseId;
  ticket.incarnation = pg::Call([] { return pg::TableOid("job"); });
  ticket.owner = job.owner;
  ticket.cause = policy::Cause::kForeground;
  ticket.requested_by = GetUserId();
  ticket.dry_run = request.dry_run;
  ticket.foreground = true;
  ticket.exclusive = job.overlap != catalog::Overlap::kAllow;
  ticket.attempt = 1;
  ticket.scheduled_at = GetCurrentTimestamp();
  ticket.queued_at = ticket.scheduled_at;
  ticket.timeout = job.timeout;
  ticket.has_payload = !request.payload.empty();
  ticket.walk = catalog::WalkOf(
      ticket, request.payload,
      {job.is_batch(), job.mode == catalog::BatchMode::kIncremental, !ticket.exclusive});
  strlcpy(ticket.job_name, job.job_name.c_str(), sizeof(ticket.job_name));
  strlcpy(ticket.mutex, catalog::MutexKey(job.mutex, job.owner).c_str(), sizeof(ticket.mutex));
  BoundRunTime(&ticket);
  return ticket;
}

void TellSkipped(const board::RunTicket& ticket, const std::string& reason) {
  ereport(NOTICE, (errmsg("run %lld of job \"%s\" is skipped: %s",
                          static_cast<long long>(ticket.run_id), ticket.job_name, reason.c_str())));
}

// What the run was given is in its row, as that of any other run: whoever records it finds it
// there. The row commits when the run is on the board, so that nobody takes it for one that has
// died.
void InsertPayload(const board::RunTicket& ticket, const std::string& payload) {
  if (!ticket.has_payload) {
    return;
  }
  catalog::QueuedRun run;
  run.identity() = ticket;
  run.Give(payload);
  run.run_at = ticket.scheduled_at;
  run.claimed_at = ticket.queued_at;
  catalog::InsertQueuedRun(run);
}

// As a run that the scheduler skips: recorded, and no error.
void RecordSkip(const board::RunTicket& ticket, const std::string& reason) {
  catalog::RunRecord record =
      catalog::RecordOf(ticket, ticket.job_name, catalog::PayloadOf(ticket));
  record.status = policy::RunStatus::kSkipped;
  record.finished_at = GetCurrentTimestamp();
  record.reason = reason;
  WriteRecord(record, ticket.incarnation);
  if (ticket.has_payload) {
    catalog::DeleteQueuedRun(ticket.run_id, ticket.mark, nullptr);
  }
  TellSkipped(ticket, reason);
}

// Another owner's job has no name for the caller.
std::string Holder(const board::RunInTheWay& holder) {
  const bool may_see = pg::Call([&holder] {
    return has_privs_of_role(GetUserId(), holder.owner) ||
           has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);
  });
  return "run " + std::to_string(holder.run_id) +
         (may_see ? " of job \"" + std::string(holder.job_name) + "\"" : "");
}

// board::kNone: the run is skipped.
int TakePlace(const board::RunTicket& ticket, const catalog::JobDefinition& job) {
  int slot = board::kNone;
  board::RunInTheWay blocking{};
  std::string problem = "job \"" + job.job_name + "\" is running";
  std::string reason;
  switch (board::BeginForeground(ticket, &slot, &blocking)) {
    case board::ForegroundResult::kRunning:
      return slot;
    case board::ForegroundResult::kFull:
      throw pg::Error(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                      "too many runs are under way on this server",
                      "Try again later, or use ratchet.trigger().");
    case board::ForegroundResult::kJobIsRunning:
      reason = "already running: run " + std::to_string(blocking.run_id);
      break;
    case board::ForegroundResult::kMutexIsHeld:
      reason = "mutex \"" + job.mutex + "\" is held by " + Holder(blocking);
      problem = reason;
      break;
  }
  const std::string run = std::to_string(blocking.run_id);
  const std::string pid = std::to_string(blocking.pid);
  if (job.overlap == catalog::Overlap::kSkip) {
    RecordSkip(ticket, reason + (blocking.pid != 0 ? " (pid " + pid + ")" : ""));
    return board::kNone;
  }
  throw pg::Error(ERRCODE_OBJECT_IN_USE, problem,
                  "Wait for its end with ratchet.wait(" + run +
                      "), or cancel it with ratchet.cancel(" + run + ").",
                  blocking.pid != 0
                      ? "Run " + run + " is executed by the process with ID " + pid + "."
                      : "Run " + run + " waits for a worker.");
}

struct ErrorContext {
  const ForegroundStatements* statements;  // null: not those of a command
  OneTransaction why;
  const std::string* job_name;
  std::int64_t run_id;
};

void AddErrorContext(void* argument) {
  pg::Hear();
  pg::HearLastWords();
  const auto* context = static_cast<const ErrorContext*>(argument);
  HintAtCommit(context->why);
  if (context->statements != nullptr && context->statements->statements() > 1) {
    errcontext("statement %d of %d", context->statements->statement(),
               context->statements->statements());
  }
  errcontext("job \"%s\", run %lld", context->job_name->c_str(),
             static_cast<long long>(context->run_id));
}

template <typename Body>
void Execute(const catalog::JobDefinition& job, const board::RunTicket& ticket,
             const ForegroundStatements* statements, OneTransaction why, Body body) {
  ErrorContext what{statements, why, &job.job_name, ticket.run_id};
  ErrorContextCallback context{};
  context.callback = AddErrorContext;
  context.arg = &what;
  context.previous = error_context_stack;
  error_context_stack = &context;
  try {
    body();
  } catch (...) {
    error_context_stack = context.previous;
    throw;
  }
  error_context_stack = context.previous;
}

void RunBatch(ForegroundSession& session, const catalog::JobDefinition& job,
              const board::RunTicket& ticket, int slot) {
  const auto definition = catalog::FindJobVersion(job.job_id, job.version);
  Execute(job, ticket, nullptr, OneTransaction::kBatch,
          [&] { RunWalkInForeground(session, ticket, slot, *definition); });
}

void RunCommand(ForegroundSession& session, const catalog::JobDefinition& job,
                const board::RunTicket& ticket, ForegroundStatements& statements) {
  Execute(job, ticket, &statements, statements.why_one_transaction(), [&] { statements.Run(); });
  session.settings().PutBack();
  // In the caller's transaction, with which it commits.
  WriteRecord(session.Finish(statements.rows_affected(), statements.result()), ticket.incarnation);
}

// Whether the job's only_if says so. If not, the run is recorded as skipped, and no error.
bool IsNeeded(ForegroundSession& session, const catalog::JobDefinition& job,
              const board::RunTicket& ticket, int slot) {
  if (!HasCondition(ticket, job.only_if)) {
    return true;
  }
  Condition condition = Condition::kAgain;
  Execute(job, ticket, nullptr, OneTransaction::kNot, [&] {
    session.BeginCondition();
    for (int attempt = 1; condition == Condition::kAgain; attempt++) {
      condition = EvaluateCondition(job.only_if, slot, attempt);
      if (condition == Condition::kAgain) {
        pg::Call([] { SPI_commit(); });
      }
    }
    session.EndCondition();
  });
  if (condition != Condition::kTrue) {
    session.settings().PutBack();
    WriteRecord(session.FinishNotNeeded(), ticket.incarnation);
    TellSkipped(ticket, kConditionFalse);
  }
  return condition == Condition::kTrue;
}

// Who runs a job dry wants to know whether it would go well, and a program looks at nothing but
// whether the call has failed.
bool FailsDry(const catalog::JobDefinition& job, const catalog::RunRecord& record) {
  return record.dry_run && record.counters.items_failed > 0 && job.max_failed_items < 0;
}

// A walk that has come to an end may have failed all the same. Its last transaction is the
// caller's, which must commit before the call can say so.
void RaiseFailure(const catalog::JobDefinition& job, const catalog::RunRecord& record) {
  const std::string run = std::to_string(record.run_id);
  if (record.status == policy::RunStatus::kFailed) {
    const catalog::RunError error = record.error;
    pg::Call([] { SPI_commit(); });
    throw pg::Error(error.sqlstate, error.message, error.hint,
                    "What was done before is committed, and recorded as run " + run + ".");
  }
  if (FailsDry(job, record)) {
    const std::string message =
        std::to_string(record.counters.items_failed) + " of " +
        std::to_string(record.counters.items_done + record.counters.items_failed) +
        " items failed in the dry run";
    pg::Call([] { SPI_commit(); });
    throw pg::Error(ERRCODE_PROGRAM_LIMIT_EXCEEDED, message,
                    "SELECT result FROM ratchet.runs WHERE run_id = " + run +
                        " shows the first of them. The option max_failed_items says how many may "
                        "fail.",
                    "The run is recorded as run " + run + ".");
  }
}

// The call returns nothing, so that it says which run it was and what it has done.
void TellEnd(const catalog::JobDefinition& job, const catalog::RunRecord& record) {
  if (record.status == policy::RunStatus::kSkipped) {
    return;  // is told already
  }
  const board::RunCounters& counters = record.counters;
  std::string counts = "rows affected: " + std::to_string(counters.rows_affected);
  if (job.is_batch()) {
    counts = "items done: " + std::to_string(counters.items_done) +
             ", failed: " + std::to_string(counters.items_failed) +
             ", batches: " + std::to_string(counters.batches) + ", " + counts;
  }
  const bool succeeded = record.status == policy::RunStatus::kSucceeded;
  const std::string how =
      succeeded ? "has succeeded" : "is " + std::string(policy::Name(record.status));
  const std::string reason = record.reason.empty() ? "" : ": " + record.reason;
  pg::Call([&] {
    ereport(NOTICE, (errmsg("%srun %lld of job \"%s\" %s%s (%s)", record.dry_run ? "dry " : "",
                            static_cast<long long>(record.run_id), job.job_name.c_str(),
                            how.c_str(), reason.c_str(), counts.c_str())));
  });
}

// The record of the run that has ended without an error. `statements` is null for a batch job.
const catalog::RunRecord& RunInPlace(const catalog::JobDefinition& job,
                                     const board::RunTicket& ticket, const std::string& payload,
                                     int slot, ForegroundStatements* statements) {
  ForegroundSession& session = ForegroundSession::Begin(job, ticket, payload, slot);
  try {
    pg::Call([&] {
      if (ticket.has_payload) {
        SPI_commit();  // its row
      }
      session.scope().job_lock().Take(ticket.job_id, ticket.incarnation, ticket.exclusive);
    });
    session.scope().StartTimer();
    catalog::RequireIncarnation(ticket.incarnation);
    session.settings().Lend(ParseSettings(job.settings));
    RefuseHiddenTables();
    if (!job.is_batch()) {
      WaitForCheckpoint(ticket, slot);
    }
    // So that they stay when a transaction of the run is rolled back: in a dry run, or to do a
    // batch again.
    pg::Call([] { SPI_commit(); });
    if (!IsNeeded(session, job, ticket, slot)) {
      return session.scope().record();
    }
    if (statements == nullptr) {
      RunBatch(session, job, ticket, slot);
    } else {
      RunCommand(session, job, ticket, *statements);
    }
    return session.scope().record();
  } catch (const std::exception& failure) {
    catalog::RunError error = catalog::ErrorOf(failure);
    const bool is_over =
        RunTimer::Fired() || board::CancelReasonOf(slot) == board::CancelReason::kTimedOut;
    const bool timed_out = is_over && error.sqlstate == ERRCODE_QUERY_CANCELED;
    session.Fail(std::move(error));
    if (timed_out) {
      throw pg::Error(ERRCODE_QUERY_CANCELED, TimeoutMessage(ticket), TimeoutHint(ticket));
    }
    throw;
  }
}

}  // namespace

void RunInForeground(const ForegroundRequest& request) {
  CheckCaller(request);
  const catalog::JobDefinition job = PinOwnJob(request.job_name);
  const board::RunTicket ticket = TicketFor(job, request);
  pg::SnapshotWatch::Install();
  LearnSessionNames(job.owner);
  pg::Call([] {
    SPI_connect_ext(SPI_OPT_NONATOMIC);
    // The pinned definition must outlive a run that fails.
    SPI_commit();
  });
  // What cannot run in the foreground is refused before it counts as a run of the job.
  std::optional<ForegroundStatements> statements;
  if (!job.is_batch()) {
    statements.emplace(job.command, job.transaction == catalog::TransactionMode::kPerStatement,
                       ticket.dry_run);
  }
  InsertPayload(ticket, request.payload);
  const int slot = TakePlace(ticket, job);
  if (slot != board::kNone) {
    const catalog::RunRecord& record =
        RunInPlace(job, ticket, request.payload, slot, statements ? &*statements : nullptr);
    RaiseFailure(job, record);
    TellEnd(job, record);
  }
  pg::Call([] { SPI_finish(); });
}

}  // namespace ratchet::worker
