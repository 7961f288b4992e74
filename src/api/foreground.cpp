// CALL ratchet.run().
#include "worker/foreground.h"

#include "api/sql_function.h"
#include "pg/guard.h"

extern "C" {
#include "nodes/parsenodes.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(ratchet_run);
}

namespace ratchet::api {
namespace {

bool CanCommit(FunctionCallInfo fcinfo) {
  return fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
         !reinterpret_cast<CallContext*>(fcinfo->context)->atomic;
}

void Run(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) {
    throw pg::Error(ERRCODE_NULL_VALUE_NOT_ALLOWED, "job_name must not be null");
  }
  worker::ForegroundRequest request;
  request.can_commit = CanCommit(fcinfo);
  request.dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
  pg::Call([&] {
    request.job_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    if (!PG_ARGISNULL(1)) {
      Jsonb* payload = PG_GETARG_JSONB_P(1);
      request.payload = JsonbToCString(nullptr, &payload->root, static_cast<int>(VARSIZE(payload)));
    }
  });
  worker::RunInForeground(request);
}

}  // namespace
}  // namespace ratchet::api

extern "C" PGDLLEXPORT Datum ratchet_run(PG_FUNCTION_ARGS) {
  ratchet::api::SqlFunction([fcinfo] { ratchet::api::Run(fcinfo); });
  PG_RETURN_NULL();
}
