// What the text of a job can ask about its run, and tell about it. Outside of a run all of it is
// null, and so it is for code that a run calls but that does not have the rights of the run's
// owner: a function of an index that is built as the owner of the table, a SECURITY DEFINER
// function of somebody else.
#include <string>

#include "board/run_board.h"
#include "catalog/checkpoint.h"
#include "pg/guard.h"
#include "worker/current_run.h"

extern "C" {
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(ratchet_run_id);
PG_FUNCTION_INFO_V1(ratchet_attempt);
PG_FUNCTION_INFO_V1(ratchet_scheduled_at);
PG_FUNCTION_INFO_V1(ratchet_previous_scheduled_at);
PG_FUNCTION_INFO_V1(ratchet_payload);
PG_FUNCTION_INFO_V1(ratchet_progress);
PG_FUNCTION_INFO_V1(ratchet_checkpoint);
PG_FUNCTION_INFO_V1(ratchet_save_checkpoint);
}

namespace ratchet::api {
namespace {

Datum JsonbDatum(const std::string& json) {
  return pg::Call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); });
}

void Progress(FunctionCallInfo fcinfo, const worker::CurrentRun& run) {
  if (PG_ARGISNULL(0)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "done must not be null");
  }
  const int64 done = PG_GETARG_INT64(0);
  const int64 remaining = PG_ARGISNULL(1) ? -1 : PG_GETARG_INT64(1);
  if (done < 0) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "done must not be negative");
  }
  if (!PG_ARGISNULL(1) && remaining < 0) {
    throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, "remaining must not be negative",
                    "Use NULL when it is not known.");
  }
  if (!board::IsWalk(run.slot)) {
    board::SetProgress(run.slot, done, remaining);
  }
}

void SaveCheckpoint(FunctionCallInfo fcinfo, const worker::CurrentRun& run) {
  if (PG_ARGISNULL(0)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "value must not be null",
                    "A run that succeeds removes the checkpoint.");
  }
  if (!run.ticket.exclusive) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "a job with overlap => 'allow' cannot save a checkpoint",
                    "Use overlap => 'skip' or 'queue'.",
                    "Runs at the same time would overwrite each other's checkpoint.");
  }
  if (board::IsWalk(run.slot)) {
    throw pg::Error(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "the action of a batch job cannot save a checkpoint",
                    "Leave it out: each batch commits together with its checkpoint.");
  }
  std::string value;
  pg::Call([&] {
    PreventCommandIfReadOnly("ratchet.save_checkpoint()");
    Jsonb* json = PG_GETARG_JSONB_P(0);
    value = JsonbToCString(nullptr, &json->root, static_cast<int>(VARSIZE(json)));
  });
  const auto before = catalog::FindOwnCheckpoint(run.ticket.job_id, run.ticket.walk);
  catalog::Checkpoint checkpoint;
  checkpoint.first_run = before && before->first_run != 0 ? before->first_run : run.ticket.run_id;
  checkpoint.job_id = run.ticket.job_id;
  checkpoint.walk = run.ticket.walk;
  checkpoint.owner = run.ticket.owner;
  checkpoint.run_id = run.ticket.run_id;
  checkpoint.run_mark = run.ticket.mark;
  checkpoint.value = value;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  catalog::SaveCheckpoint(checkpoint, &tid);
}

// A value and whether it is null, which a function of the server says separately.
struct Answer {
  Datum value;
  bool is_null;
};
constexpr Answer kNull{static_cast<Datum>(0), true};
constexpr Answer kVoid{static_cast<Datum>(0), false};

Answer Payload(const worker::CurrentRun& run) {
  return run.payload.empty() ? kNull : Answer{JsonbDatum(run.payload), false};
}

Answer Checkpoint(const worker::CurrentRun& run) {
  const auto saved = catalog::FindOwnCheckpoint(run.ticket.job_id, run.ticket.walk);
  return saved && !saved->value.empty() ? Answer{JsonbDatum(saved->value), false} : kNull;
}

bool HasRightsOf(Oid owner) {
  return pg::Call([owner] { return has_privs_of_role(GetUserId(), owner); });
}

// The answer of `body` about the run in which it is called.
template <typename Body>
Datum InsideRun(FunctionCallInfo fcinfo, Body body) {
  const worker::CurrentRun* run = worker::TheCurrentRun();
  Answer result = kNull;
  if (run != nullptr) {
    result = pg::Entry([&] { return HasRightsOf(run->ticket.owner) ? body(*run) : kNull; });
  }
  fcinfo->isnull = result.is_null;
  return result.value;
}

}  // namespace
}  // namespace ratchet::api

using ratchet::api::Answer;
using ratchet::api::InsideRun;
using ratchet::worker::CurrentRun;

extern "C" PGDLLEXPORT Datum ratchet_run_id(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, [](const CurrentRun& run) {
    return Answer{Int64GetDatum(run.ticket.run_id), false};
  });
}

extern "C" PGDLLEXPORT Datum ratchet_attempt(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, [](const CurrentRun& run) {
    return Answer{Int32GetDatum(run.ticket.attempt), false};
  });
}

extern "C" PGDLLEXPORT Datum ratchet_scheduled_at(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, [](const CurrentRun& run) {
    return Answer{TimestampTzGetDatum(run.ticket.scheduled_at), false};
  });
}

extern "C" PGDLLEXPORT Datum ratchet_previous_scheduled_at(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, [](const CurrentRun& run) {
    const TimestampTz previous = run.ticket.previous_scheduled_at;
    return Answer{TimestampTzGetDatum(previous), previous == 0};
  });
}

extern "C" PGDLLEXPORT Datum ratchet_payload(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, ratchet::api::Payload);
}

extern "C" PGDLLEXPORT Datum ratchet_progress(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, [fcinfo](const CurrentRun& run) {
    ratchet::api::Progress(fcinfo, run);
    return ratchet::api::kVoid;
  });
}

extern "C" PGDLLEXPORT Datum ratchet_checkpoint(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, ratchet::api::Checkpoint);
}

extern "C" PGDLLEXPORT Datum ratchet_save_checkpoint(PG_FUNCTION_ARGS) {
  return InsideRun(fcinfo, [fcinfo](const CurrentRun& run) {
    ratchet::api::SaveCheckpoint(fcinfo, run);
    return ratchet::api::kVoid;
  });
}
