// ratchet.wait() and ratchet.wait_for()
#include <algorithm>
#include <optional>

#include "api/argument.h"
#include "api/live_run.h"
#include "api/privilege.h"
#include "api/runs_of_job.h"
#include "api/sql_function.h"
#include "board/run_waits.h"
#include "calendar/instant.h"
#include "catalog/incarnation.h"
#include "catalog/run_log.h"
#include "catalog/run_queue.h"
#include "pg/clock.h"
#include "pg/passing_locks.h"
#include "pg/span.h"

extern "C" {
#include "access/htup_details.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
}

namespace ratchet::api {
namespace {

enum Argument { kRun, kTimeout, kStatus };

// Announcements wake a waiter at once. This is for what nobody announces, such as a scheduler that
// had to be started again.
constexpr std::int64_t kLongestSleep = calendar::kSecond;

// Registered as somebody who waits, however the function is left.
class Waiting {
 public:
  Waiting() { board::PrepareToWait(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { board::FinishWaiting(); }
};

// Takes what the looks leave behind, so that waiting for days costs no more memory than for a
// second.
class Scratch {
 public:
  Scratch()
      : outer_(CurrentMemoryContext), own_(pg::Call([] {
          return AllocSetContextCreate(CurrentMemoryContext, "ratchet wait", ALLOCSET_SMALL_SIZES);
        })) {
    MemoryContextSwitchTo(own_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    MemoryContextSwitchTo(outer_);
    MemoryContextDelete(own_);
  }
  void Clear() { MemoryContextReset(own_); }

 private:
  MemoryContext outer_;
  MemoryContext own_;
};

struct Deadline {
  policy::SteadyTime at;  // not set: none

  // Microseconds; never negative.
  std::int64_t Left() const {
    return at.IsSet() ? std::max<std::int64_t>(at - pg::SteadyNow(), 0) : kLongestSleep;
  }
};

Deadline DeadlineOf(const Arguments& arguments) {
  if (arguments.IsNull(kTimeout)) {
    return {policy::kNoSteadyTime};
  }
  std::int64_t timeout = 0;
  if (!pg::SpanOf(*DatumGetIntervalP(arguments.Value(kTimeout)), &timeout)) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "timeout is too long",
                    "NULL waits without a limit.");
  }
  if (timeout < 0) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "timeout must not be negative");
  }
  const policy::SteadyTime now = pg::SteadyNow();
  return {timeout < policy::kNeverSteady - now ? now + timeout : policy::kNoSteadyTime};
}

[[noreturn]] void NoSuchRun(std::int64_t run_id) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "run " + std::to_string(run_id) + " does not exist");
}

// Where a run stands. Each look sees what has committed until now, whatever the snapshot of the
// caller.
struct Look {
  policy::RunStatus status;
  bool settled;  // it has ended, and the scheduler has taken note of it
};

policy::RunStatus StatusOfQueued(const catalog::QueuedRun& run) {
  const auto live = FindLiveRun(run.run_id);
  return live && live->started_at != 0 ? policy::RunStatus::kRunning : policy::RunStatus::kQueued;
}

std::optional<Look> TryLook(std::int64_t run_id) {
  // In this order: the record of a run is there before its row in the queue goes.
  const auto live = FindLiveRun(run_id);
  std::optional<catalog::FoundRun> queued;
  std::optional<catalog::RecordedEnd> ended;
  {
    // Who waits holds up nobody who rewrites the tables.
    const pg::PassingLocks locks;
    queued = catalog::FindQueuedRun(run_id);
    ended = catalog::FindRunRecord(run_id);
  }
  const std::int64_t mark = queued ? queued->run.mark : live ? live->ticket.mark : 0;
  if (ended && mark != 0 && ended->mark != mark) {
    ended.reset();  // of another run with this number
  }
  const Oid owner = ended    ? ended->owner
                    : queued ? queued->run.owner
                    : live   ? live->ticket.owner
                             : InvalidOid;
  if (!OidIsValid(owner) || !MaySee(owner)) {
    return std::nullopt;
  }
  if (ended) {
    return Look{ended->status, !queued};
  }
  if (queued && queued->of_this_transaction) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "run " + std::to_string(run_id) +
                        " was triggered in this transaction and cannot start before it commits",
                    "COMMIT first, then wait.");
  }
  return Look{queued ? StatusOfQueued(queued->run) : policy::RunStatus::kRunning, false};
}

Look LookAt(std::int64_t run_id) {
  const std::optional<Look> look = TryLook(run_id);
  if (!look) {
    NoSuchRun(run_id);
  }
  return *look;
}

// Calls between_looks() whenever it has looked and is going to sleep.
template <typename F>
policy::RunStatus Wait(std::int64_t run_id, const Deadline& deadline, F between_looks) {
  Look look = LookAt(run_id);
  if (look.settled || deadline.Left() == 0) {
    return look.status;
  }
  board::RequireBoard();
  const Oid incarnation = catalog::FindIncarnation();
  const Waiting waiting;
  Scratch scratch;
  for (;;) {
    // What was announced before this look is in it, what is announced after it ends the sleep.
    const std::optional<Look> next = TryLook(run_id);
    catalog::RequireIncarnation(incarnation);  // or it is another run's number by now
    if (!next) {
      return policy::RunStatus::kSkipped;  // its only_if was false: it has left nothing behind
    }
    look = *next;
    const std::int64_t left = deadline.Left();
    if (look.settled || left == 0) {
      return look.status;
    }
    between_looks();
    scratch.Clear();
    const std::int64_t sleep = std::min(left, kLongestSleep);
    board::WaitForRun(
        static_cast<long>((sleep + calendar::kMillisecond - 1) / calendar::kMillisecond));
  }
}

Datum StatusText(policy::RunStatus status) {
  const std::string_view name = policy::Name(status);
  return pg::Call([name] {
    return PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
  });
}

// Ends the transaction, and with it its snapshots and locks: nothing waits for a session that
// waits.
void LetGo() {
  pg::Call([] { SPI_commit(); });
}

void RequireNoTransactionBlock(FunctionCallInfo call) {
  const Node* context = call->context;
  if (context == nullptr || !IsA(context, CallContext) ||
      reinterpret_cast<const CallContext*>(context)->atomic) {
    throw pg::Error(ERRCODE_ACTIVE_SQL_TRANSACTION,
                    "ratchet.wait_for cannot run inside a transaction block or a function",
                    "Use ratchet.wait(), which keeps the snapshot of its transaction.");
  }
}

// By its number, or by the name of its job.
enum class RunBy { kNumber, kJob };

std::int64_t RunOf(const Arguments& arguments, RunBy by) {
  return by == RunBy::kNumber ? arguments.Int64(kRun, "run_id")
                              : NewestRunOf(arguments.Text(kRun, "job_name"));
}

Datum WaitInSelect(FunctionCallInfo call, RunBy by) {
  const Arguments arguments(call);
  const std::int64_t run_id = RunOf(arguments, by);
  return StatusText(Wait(run_id, DeadlineOf(arguments), [] {}));
}

Datum WaitFor(FunctionCallInfo call, RunBy by) {
  RequireNoTransactionBlock(call);
  const Arguments arguments(call);
  const std::int64_t run_id = RunOf(arguments, by);
  const Deadline deadline = DeadlineOf(arguments);
  TupleDesc columns = nullptr;
  pg::Call([call, &columns] {
    if (get_call_result_type(call, nullptr, &columns) != TYPEFUNC_COMPOSITE) {
      elog(ERROR, "return type must be a row type");
    }
    BlessTupleDesc(columns);
    SPI_connect_ext(SPI_OPT_NONATOMIC);
  });
  LetGo();
  const policy::RunStatus status = Wait(run_id, deadline, LetGo);
  pg::Call([] { SPI_finish(); });
  Datum value = StatusText(status);
  return pg::Call([columns, &value] {
    bool null = false;
    return HeapTupleGetDatum(heap_form_tuple(columns, &value, &null));
  });
}

}  // namespace
}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_wait);
PGDLLEXPORT Datum ratchet_wait(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::WaitInSelect(fcinfo, ratchet::api::RunBy::kNumber); });
}

PG_FUNCTION_INFO_V1(ratchet_wait_job);
PGDLLEXPORT Datum ratchet_wait_job(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::WaitInSelect(fcinfo, ratchet::api::RunBy::kJob); });
}

PG_FUNCTION_INFO_V1(ratchet_wait_for);
PGDLLEXPORT Datum ratchet_wait_for(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::WaitFor(fcinfo, ratchet::api::RunBy::kNumber); });
}

PG_FUNCTION_INFO_V1(ratchet_wait_for_job);
PGDLLEXPORT Datum ratchet_wait_for_job(PG_FUNCTION_ARGS) {
  return ratchet::api::SqlFunction(
      [fcinfo] { return ratchet::api::WaitFor(fcinfo, ratchet::api::RunBy::kJob); });
}

}  // extern "C"
