#include "worker/condition.h"

#include "board/run_board.h"
#include "pg/clock.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/snapshot_watch.h"
#include "pg/statement_log.h"
#include "pg/subtransaction.h"
#include "worker/cancel_timer.h"
#include "worker/execute.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
}

namespace ratchet::worker {

const char* const kConditionFalse = "only_if is false";
const char* const kConditionFailed = "only_if could not be evaluated";

namespace {

// Each of them is due to somebody's change of a table or a function in that very moment.
constexpr int kMostAttempts = 1000;

// Returns when it will go off; not set: never. For use inside pg::Call.
policy::AwakeTime StartTimer() {
  ConditionTimer::Forget();
  if (pg::settings.only_if_timeout == 0) {
    return {};
  }
  const policy::AwakeTime until =
      pg::AwakeNow() + std::int64_t{pg::settings.only_if_timeout} * 1000;
  ConditionTimer::Start(until);
  return until;
}

// No other run's cancel may be taken for this timer's, and no other reason to stop be forgotten.
bool TimedOut(int slot) {
  return ConditionTimer::IsOver() && !RunTimer::Fired() &&
         board::CancelReasonOf(slot) == board::CancelReason::kNotCanceled;
}

// From here on the transaction cannot be made one that writes. For use inside pg::Call.
void BeginReading() {
  XactReadOnly = true;
  PushActiveSnapshot(GetTransactionSnapshot());
  SPI_connect();
}

// For use inside pg::Call.
bool Query(const char* only_if) {
  StartStatementTimer();
  pg::StatementLog log({only_if, LOGSTMT_ALL, "only_if"});
  log.Begin();
  const int code = SPI_execute(only_if, false, 2);
  log.End();
  if (code != SPI_OK_SELECT) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("only_if must be a query")));
  }
  TupleDesc columns = SPI_tuptable->tupdesc;
  if (columns->natts != 1 || SPI_gettypeid(columns, 1) != BOOLOID) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("only_if must give one column of type boolean")));
  }
  if (SPI_processed > 1) {
    ereport(
        ERROR,
        (errcode(ERRCODE_CARDINALITY_VIOLATION), errmsg("only_if must not give more than one row"),
         errhint("For example: SELECT EXISTS (SELECT FROM orders WHERE NOT exported).")));
  }
  bool is_true = false;
  if (SPI_processed == 1) {
    bool is_null = false;
    const Datum value = SPI_getbinval(SPI_tuptable->vals[0], columns, 1, &is_null);
    is_true = !is_null && DatumGetBool(value);
  }
  StopStatementTimer();
  return is_true;
}

// In the subtransaction, which cleans up behind an exception.
bool Evaluate(const std::string& only_if) {
  pg::SnapshotWatch watch;
  pg::Call([] { BeginReading(); });
  watch.Begin();
  const bool is_true = pg::Call([&only_if] { return Query(only_if.c_str()); });
  watch.Check(false);
  watch.End();
  pg::Call([] {
    SPI_finish();
    PopActiveSnapshot();
  });
  return is_true;
}

[[noreturn]] void ThrowTimedOut() {
  throw pg::Error(ERRCODE_QUERY_CANCELED,
                  "only_if was canceled because it exceeded ratchet.only_if_timeout",
                  "Let the query be a quick one, or raise ratchet.only_if_timeout.",
                  "The limit is " + std::to_string(pg::settings.only_if_timeout) + " ms.");
}

void AddContext(void* /*argument*/) { errcontext("only_if"); }

}  // namespace

bool HasCondition(const board::RunTicket& ticket, const std::string& only_if) {
  return !only_if.empty() && ticket.replay_of == 0 && ticket.items_of == 0;
}

bool IsRecordedWhenNotNeeded(const board::RunTicket& ticket) {
  if (ticket.retry_of != 0) {
    return true;
  }
  switch (ticket.cause) {
    case policy::Cause::kSchedule:
    case policy::Cause::kCatchup:
    case policy::Cause::kDependency:
    case policy::Cause::kQueue:  // others were quicker
      return false;
    default:
      return true;
  }
}

namespace {

bool EvaluateTimed(const std::string& only_if, int slot) {
  ErrorContextCallback context{};
  context.callback = AddContext;
  context.previous = error_context_stack;
  error_context_stack = &context;
  bool is_true = false;
  try {
    board::SetConditionUntil(slot, pg::Call([] { return StartTimer(); }));
    is_true = Evaluate(only_if);
  } catch (const pg::PgError& error) {
    ConditionTimer::Stop();
    error_context_stack = context.previous;
    board::SetConditionUntil(slot, {});
    if (error.sqlstate() == ERRCODE_QUERY_CANCELED && TimedOut(slot)) {
      ThrowTimedOut();
    }
    throw;
  } catch (const pg::OldSnapshot&) {
    ConditionTimer::Stop();
    error_context_stack = context.previous;
    board::SetConditionUntil(slot, {});
    throw;
  }
  ConditionTimer::Stop();
  error_context_stack = context.previous;
  board::SetConditionUntil(slot, {});
  if (TimedOut(slot)) {
    ThrowTimedOut();  // its cancel is on its way
  }
  // What it said of its progress is not the run's.
  board::SetProgress(slot, 0, -1);
  return is_true;
}

}  // namespace

Condition EvaluateCondition(const std::string& only_if, int slot, int attempt) {
  const pg::Subtransaction undone;  // never released: nothing of it is to last
  try {
    return EvaluateTimed(only_if, slot) ? Condition::kTrue : Condition::kFalse;
  } catch (const pg::OldSnapshot& error) {
    if (attempt == kMostAttempts) {
      throw;
    }
    ereport(DEBUG1, (errmsg_internal("only_if is evaluated again: %s", error.what())));
    return Condition::kAgain;
  }
}

}  // namespace ratchet::worker
