#include "worker/run_report.h"

#include <cstring>

#include "board/run_board.h"
#include "catalog/checkpoint.h"
#include "catalog/incarnation.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "policy/planned_stop.h"
#include "worker/condition.h"
#include "worker/session_names.h"
#include "worker/time_bound.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/guc.h"
}

namespace ratchet::worker {

namespace {

double Milliseconds(const catalog::RunRecord& record) {
  return static_cast<double>(record.finished_at - record.started_at) / 1000;
}

// Whose job and where: names of jobs are those of their database.
void LogNotNeeded(const catalog::RunRecord& record) {
  ereport(LOG, (errmsg("job \"%s\" run %lld was not needed (role \"%s\", database \"%s\"): %s",
                       record.job_name.c_str(), static_cast<long long>(record.run_id),
                       SessionRole(), SessionDatabase(), record.reason.c_str()),
                errhidestmt(true)));
}

void LogSuccess(const catalog::RunRecord& record) {
  ereport(LOG, (errmsg("job \"%s\" run %lld %s in %.1f ms (role \"%s\", database \"%s\")",
                       record.job_name.c_str(), static_cast<long long>(record.run_id),
                       policy::Name(record.status).data(), Milliseconds(record), SessionRole(),
                       SessionDatabase()),
                errhidestmt(true)));
}

void LogFailure(const catalog::RunRecord& record, bool hides_statement) {
  const catalog::RunError& error = record.error;
  ereport(LOG, (errcode(error.sqlstate),
                errmsg("job \"%s\" run %lld %s in %.1f ms (role \"%s\", database \"%s\"): %s %s",
                       record.job_name.c_str(), static_cast<long long>(record.run_id),
                       policy::Name(record.status).data(), Milliseconds(record), SessionRole(),
                       SessionDatabase(), unpack_sql_state(error.sqlstate), error.message.c_str()),
                errhidestmt(hides_statement),
                error.detail.empty() ? 0 : errdetail_log("%s", error.detail.c_str()),
                error.hint.empty() ? 0 : errhint("%s", error.hint.c_str()),
                error.context.empty() ? 0 : errcontext_msg("%s", error.context.c_str())));
}

// Appends the text and its zero byte, cut at a character's end to leave `reserve` bytes for others.
char* Append(char* to, const char* end, const std::string& text, int reserve) {
  const int room = static_cast<int>(end - to) - reserve;
  const int length = pg_mbcliplen(text.data(), static_cast<int>(text.size()), room);
  std::memcpy(to, text.data(), static_cast<std::size_t>(length));
  to[length] = '\0';
  return to + length + 1;
}

// Every one of them said so: the run says it with their SQLSTATE.
void FillAlike(const batch::Alike& alike, catalog::RunRecord* record) {
  record->status = policy::RunStatus::kFailed;
  record->error = alike.error;
  record->error.message = std::to_string(alike.count) +
                          " items in a row have failed in the same words: " + alike.error.message;
  record->error.detail = "Item " + alike.key + " was one of them." +
                         (alike.error.detail.empty() ? "" : " " + alike.error.detail);
  record->error.hint =
      "None of them was set aside, and the next run begins with the first of them: mend what they "
      "fail at. ratchet.max_same_failures, also in the settings of the job, says how many in a row "
      "are too many.";
}

}  // namespace

void FillFailure(const Failure& failure, catalog::RunError error, catalog::RunRecord* record) {
  using policy::RunStatus;
  const board::CancelReason reason = board::CancelReasonOf(failure.slot);
  const bool canceled = reason == board::CancelReason::kCanceled;
  const bool timed_out = failure.timed_out || reason == board::CancelReason::kTimedOut;
  record->status = timed_out  ? RunStatus::kTimedOut
                   : canceled ? RunStatus::kCanceled
                              : RunStatus::kFailed;
  record->canceled_by =
      record->status == RunStatus::kCanceled ? board::CanceledBy(failure.slot) : InvalidOid;
  if (failure.by_stop && record->status == RunStatus::kFailed) {
    FillStopped(record);
    return;
  }
  if (failure.in_condition && record->status != RunStatus::kCanceled) {
    record->reason = kConditionFailed;
  }
  if (timed_out && error.sqlstate == ERRCODE_QUERY_CANCELED) {
    const board::RunTicket ticket = board::TicketOf(failure.slot);
    error.message = TimeoutMessage(ticket);
    error.hint = TimeoutHint(ticket);
  }
  const std::size_t line_end = error.context.rfind('\n');
  const std::size_t last_line = line_end == std::string::npos ? 0 : line_end + 1;
  if (error.context.compare(last_line, 5, "job \"") == 0) {
    error.context.resize(last_line == 0 ? 0 : line_end);
  }
  record->error = std::move(error);
}

void FillStopped(catalog::RunRecord* record) {
  record->status = policy::RunStatus::kCanceled;
  record->reason = policy::kServerStopped;
  record->error = {};
  record->error.sqlstate = ERRCODE_ADMIN_SHUTDOWN;
  record->error.message = "the run was ended by the shutdown of the server";
}

void WriteRecord(const catalog::RunRecord& record, Oid incarnation, bool keep_checkpoint) {
  if (catalog::FindIncarnation() != incarnation) {
    pg::Call([&record] {
      ereport(LOG,
              (errcode(ERRCODE_UNDEFINED_OBJECT),
               errmsg("run %lld of job \"%s\" cannot be recorded: extension pg_ratchet has been "
                      "dropped",
                      static_cast<long long>(record.run_id), record.job_name.c_str()),
               errhidestmt(true)));
    });
    return;
  }
  if (record.status == policy::RunStatus::kSucceeded && !record.dry_run && !keep_checkpoint) {
    catalog::DeleteCheckpoint(record.job_id, record.walk);
  }
  catalog::InsertRunRecord(record);
}

void FillFromWalk(const batch::Walk& walk, catalog::RunRecord* record) {
  board::RunCounters& counters = record->counters;
  counters.items_done = walk.counters().items_done;
  counters.items_failed = walk.counters().items_failed;
  counters.batches = walk.counters().batches;
  counters.rows_affected = walk.counters().rows_affected;
  record->checkpoint_from = walk.checkpoint_from();
  record->checkpoint_to = walk.checkpoint_to();
  record->key = walk.key_signature();
}

void FillFromEndedWalk(const batch::Walk& walk, std::int32_t max_failed_items,
                       catalog::RunRecord* record) {
  FillFromWalk(walk, record);
  record->result = walk.FailuresSeen();
  record->error = {};
  switch (walk.ending()) {
    case batch::Ending::kComplete:
      record->status = policy::RunStatus::kSucceeded;
      record->reason = walk.doubt();
      break;
    case batch::Ending::kOutOfTime:
      record->status = policy::RunStatus::kPartial;
      record->reason = "max_run_time is over";
      break;
    case batch::Ending::kWindowClosed:
      record->status = policy::RunStatus::kPartial;
      record->reason = "the active window has closed";
      break;
    case batch::Ending::kServerStops:
      record->status = policy::RunStatus::kPartial;
      record->reason = policy::kServerStopped;
      break;
    case batch::Ending::kAllAlike:
      FillAlike(walk.alike(), record);
      break;
    case batch::Ending::kTooManyFailed:
      record->status = policy::RunStatus::kFailed;
      record->error.sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
      record->error.message =
          "more than " + std::to_string(max_failed_items) + " items have failed";
      record->error.hint =
          "The items and their errors are in ratchet.failed_items; the option max_failed_items "
          "sets "
          "the limit.";
      break;
  }
}

void FillFromStretch(const board::RunCounters& committed, catalog::RunRecord* record) {
  board::RunCounters& counters = record->counters;
  counters.items_done = committed.items_done;
  counters.items_failed = committed.items_failed;
  counters.batches = committed.batches;
  counters.rows_affected = committed.rows_affected;
}

bool HidesFailedStatements() {
  return log_min_error_statement == LOG || log_min_error_statement > ERROR;
}

void LogRun(const catalog::RunRecord& record, bool hides_statement) noexcept {
  const bool is_failure = record.error.sqlstate != 0;
  const auto wanted = static_cast<pg::LogRuns>(pg::settings.log_runs);
  if (wanted == pg::LogRuns::kNone || (!is_failure && wanted == pg::LogRuns::kFailures)) {
    return;
  }
  try {
    pg::Call([&] {
      if (record.status == policy::RunStatus::kSkipped) {
        LogNotNeeded(record);
      } else if (is_failure) {
        LogFailure(record, hides_statement);
      } else {
        LogSuccess(record);
      }
    });
  } catch (const std::exception&) {
    // A message that cannot be written is not worth the process; there is no transaction to abort.
  }
}

void FillOutcome(const catalog::RunRecord& record, bool recorded, board::RunOutcome* outcome) {
  outcome->status = record.status;
  outcome->recorded = recorded;
  outcome->condition_failed = record.reason == kConditionFailed;
  // By which the scheduler, if it is still there, knows that it has to go on.
  outcome->sqlstate =
      record.reason == policy::kServerStopped ? ERRCODE_ADMIN_SHUTDOWN : record.error.sqlstate;
  outcome->finished_at = record.finished_at;
  outcome->counters = record.counters;
  outcome->own = {};
  if (recorded) {
    return;
  }
  // Detail, hint and context get what the message leaves, but some bytes each.
  std::memset(outcome->text, 0, sizeof(outcome->text));
  const char* end = outcome->text + sizeof(outcome->text);
  char* to = outcome->text;
  to = Append(to, end, record.error.message, 1600);
  to = Append(to, end, record.error.detail, 1000);
  to = Append(to, end, record.error.hint, 500);
  Append(to, end, record.error.context, 1);
}

}  // namespace ratchet::worker
