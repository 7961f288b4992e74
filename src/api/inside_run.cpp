// What the text of a job can ask about its run, and tell about it. Outside of a run all of it is
// null.
#include <string>

#include "board/run_board.h"
#include "catalog/checkpoint.h"
#include "pg/guard.h"
#include "worker/current_run.h"

extern "C" {
#include "tcop/utility.h"
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
  catalog::Checkpoint checkpoint;
  checkpoint.job_id = run.ticket.job_id;
  checkpoint.walk = run.ticket.walk;
  checkpoint.owner = run.ticket.owner;
  checkpoint.run_id = run.ticket.run_id;
  checkpoint.value = value;
  ItemPointerData tid;
  ItemPointerSetInvalid(&tid);
  catalog::SaveCheckpoint(checkpoint, &tid);
}

// A value and whether it is null, which a function of the server says separately.
struct Result {
  Datum value;
  bool is_null;
};

Result Payload(const worker::CurrentRun& run) {
  return run.payload.empty() ? Result{0, true} : Result{JsonbDatum(run.payload), false};
}

Result Checkpoint(const worker::CurrentRun& run) {
  const auto saved = catalog::FindCheckpoint(run.ticket.job_id, run.ticket.walk);
  return saved && !saved->value.empty() ? Result{JsonbDatum(saved->value), false} : Result{0, true};
}

}  // namespace
}  // namespace ratchet::api

using ratchet::worker::TheCurrentRun;

extern "C" PGDLLEXPORT Datum ratchet_run_id(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  PG_RETURN_INT64(TheCurrentRun()->ticket.run_id);
}

extern "C" PGDLLEXPORT Datum ratchet_attempt(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  PG_RETURN_INT32(TheCurrentRun()->ticket.attempt);
}

extern "C" PGDLLEXPORT Datum ratchet_scheduled_at(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  PG_RETURN_TIMESTAMPTZ(TheCurrentRun()->ticket.scheduled_at);
}

extern "C" PGDLLEXPORT Datum ratchet_previous_scheduled_at(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr || TheCurrentRun()->ticket.previous_scheduled_at == 0) {
    PG_RETURN_NULL();
  }
  PG_RETURN_TIMESTAMPTZ(TheCurrentRun()->ticket.previous_scheduled_at);
}

extern "C" PGDLLEXPORT Datum ratchet_payload(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  const auto result = ratchet::pg::Entry([] { return ratchet::api::Payload(*TheCurrentRun()); });
  fcinfo->isnull = result.is_null;
  return result.value;
}

extern "C" PGDLLEXPORT Datum ratchet_progress(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  ratchet::pg::Entry([fcinfo] { ratchet::api::Progress(fcinfo, *TheCurrentRun()); });
  PG_RETURN_VOID();
}

extern "C" PGDLLEXPORT Datum ratchet_checkpoint(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  const auto result = ratchet::pg::Entry([] { return ratchet::api::Checkpoint(*TheCurrentRun()); });
  fcinfo->isnull = result.is_null;
  return result.value;
}

extern "C" PGDLLEXPORT Datum ratchet_save_checkpoint(PG_FUNCTION_ARGS) {
  if (TheCurrentRun() == nullptr) {
    PG_RETURN_NULL();
  }
  ratchet::pg::Entry([fcinfo] { ratchet::api::SaveCheckpoint(fcinfo, *TheCurrentRun()); });
  PG_RETURN_VOID();
}
