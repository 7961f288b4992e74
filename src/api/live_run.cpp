// The live runs: ratchet._live_runs(), what the views runs and running are made of
#include "api/live_run.h"

#include "api/privilege.h"
#include "api/row_set.h"
#include "api/sql_function.h"
#include "board/message_board.h"
#include "catalog/run_messages.h"
#include "policy/run.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace ratchet::api {
namespace {

enum Column {
  kRunId,
  kJobId,
  kJobName,
  kOwner,
  kVersion,
  kCause,
  kState,
  kAttempt,
  kPid,
  kScheduledAt,
  kQueuedAt,
  kStartedAt,
  kItemsDone,
  kItemsRemaining,
  kItemsFailed,
  kBatches,
  kWalkDone,
  kWaitsFor,
  kDryRun,
  kReplayOf,
  kRetryOf,
  kCancelAsked,
  kMessages,
  kRequestedBy,
  kColumns,
};

struct Values {
  Datum values[kColumns] = {};
  bool nulls[kColumns] = {};

  void Set(Column column, Datum value) { values[column] = value; }
  // Null for values that mean "none".
  void SetIf(bool known, Column column, Datum value) {
    values[column] = value;
    nulls[column] = !known;
  }
};

Datum TextDatum(std::string_view value) {
  return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
}

// For use inside pg::Call.
const char* WordsOfWait(const board::LiveRun& run) {
  switch (run.wait) {
    case board::RunWait::kPause:
      return "pause";
    case board::RunWait::kReplication:
      return "replication";
    case board::RunWait::kLock:
      return run.in_the_way == 0 ? "lock"
                                 : psprintf("lock, which process %d has or waits for",
                                            static_cast<int>(run.in_the_way));
    case board::RunWait::kWriters:
      return "writers";
    case board::RunWait::kNothing:
      break;
  }
  return "";
}

Datum JsonbDatum(const std::string& text) {
  return text.empty() ? static_cast<Datum>(0)
                      : DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str()));
}

// For use inside pg::Call.
void Fill(const board::LiveRun& run, const std::string& messages, Values* row) {
  const board::RunTicket& ticket = run.ticket;
  const bool reported = run.progress_done != 0 || run.progress_remaining >= 0;
  row->Set(kRunId, Int64GetDatum(ticket.run_id));
  row->Set(kJobId, Int64GetDatum(ticket.job_id));
  row->Set(kJobName, TextDatum(ticket.job_name));
  row->Set(kOwner, ObjectIdGetDatum(ticket.owner));
  row->Set(kVersion, Int32GetDatum(ticket.version));
  row->Set(kCause, TextDatum(policy::Name(ticket.cause)));
  row->Set(kState, TextDatum(NameOfState(run.state)));
  row->Set(kAttempt, Int32GetDatum(ticket.attempt));
  row->SetIf(run.pid != 0, kPid, Int32GetDatum(run.pid));
  row->Set(kScheduledAt, TimestampTzGetDatum(ticket.scheduled_at));
  row->Set(kQueuedAt, TimestampTzGetDatum(ticket.queued_at));
  row->SetIf(run.started_at != 0, kStartedAt, TimestampTzGetDatum(run.started_at));
  row->SetIf(reported || run.walks, kItemsDone,
             Int64GetDatum(run.walks ? run.committed.items_done : run.progress_done));
  row->SetIf(run.progress_remaining >= 0, kItemsRemaining, Int64GetDatum(run.progress_remaining));
  row->SetIf(run.walks, kItemsFailed, Int64GetDatum(run.committed.items_failed));
  row->SetIf(run.walks, kBatches, Int64GetDatum(run.committed.batches));
  row->SetIf(run.walks, kWalkDone, Int64GetDatum(run.walk_done));
  row->SetIf(run.wait != board::RunWait::kNothing, kWaitsFor, TextDatum(WordsOfWait(run)));
  row->Set(kDryRun, BoolGetDatum(ticket.dry_run));
  row->SetIf(ticket.replay_of != 0, kReplayOf, Int64GetDatum(ticket.replay_of));
  row->SetIf(ticket.retry_of != 0, kRetryOf, Int64GetDatum(ticket.retry_of));
  row->Set(kCancelAsked, BoolGetDatum(run.cancel != board::CancelReason::kNotCanceled));
  row->SetIf(!messages.empty(), kMessages, JsonbDatum(messages));
  row->SetIf(OidIsValid(ticket.requested_by), kRequestedBy, ObjectIdGetDatum(ticket.requested_by));
}

// Who sees the job sees what runs of it, also as a former owner: it holds up the job.
bool MaySeeJobOf(const board::RunTicket& ticket) {
  const auto job = catalog::FindJob(ticket.job_id);
  return job && MaySee(job->owner);
}

// A reserved run has not been claimed yet: for everybody else it still waits in the queue.
bool IsShown(const board::LiveRun& run) { return run.state != board::RunState::kReserved; }

void ListLiveRuns(FunctionCallInfo call) {
  RowSet rows(call);
  if (board::TheBoard() == nullptr) {
    return;
  }
  std::vector<board::LiveRun> runs;
  board::ListRuns(MyDatabaseId, &runs);
  for (const board::LiveRun& run : runs) {
    if (!IsShown(run)) {
      continue;
    }
    const bool is_own = MaySee(run.ticket.owner);
    if (!is_own && !MaySeeJobOf(run.ticket)) {
      continue;
    }
    // What it says is for those who will see its record.
    const std::string messages =
        is_own ? catalog::AsJson(board::MessagesOf(run.slot, run.ticket.run_id)) : std::string();
    pg::Call([&rows, &run, &messages] {
      Values row;
      Fill(run, messages, &row);
      rows.Add(row.values, row.nulls);
    });
  }
}

}  // namespace

const char* NameOfState(board::RunState state) {
  switch (state) {
    case board::RunState::kRunning:
      return "running";
    case board::RunState::kEnded:
      return "ended";
    default:
      return "queued";
  }
}

std::optional<board::LiveRun> FindLiveRun(std::int64_t run_id) {
  if (board::TheBoard() == nullptr) {
    return std::nullopt;
  }
  auto run = board::FindRun(MyDatabaseId, run_id);
  return run && IsShown(*run) ? run : std::nullopt;
}

}  // namespace ratchet::api

extern "C" {

PG_FUNCTION_INFO_V1(ratchet_live_runs);
PGDLLEXPORT Datum ratchet_live_runs(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::ListLiveRuns(fcinfo); });
  return static_cast<Datum>(0);
}

}  // extern "C"
